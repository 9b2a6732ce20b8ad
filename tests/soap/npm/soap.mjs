// The npm client `soap`: sends, fetches, reads the status and a fault; prints what it saw as JSON.
import fs from "node:fs";
import soap from "soap";

const [, , wsdl, sender, receiver, nurseWsdlAuth, doctorAuth, file, mtom] = process.argv;
const document = fs.readFileSync(file);

async function client(auth) {
  const [name, key] = auth.split("\n");
  const made = await soap.createClientAsync(wsdl, { forceSoap12Headers: wsdl.endsWith("12") });
  made.setSecurity(new soap.BasicAuthSecurity(name, key));
  return made;
}

const doctor = await client(doctorAuth);
const nurse = await client(nurseWsdlAuth);
const seen = { operations: Object.keys(doctor.describe().SamhandlingHub.RecordSystemPort) };
const [{ result: who }] = await nurse.PingAsync({});
seen.system = who.system;
let sent;
if (mtom === "mtom") {
  const include = { "xop:Include": { attributes: { "xmlns:xop": "http://www.w3.org/2004/08/xop/include", href: "cid:doc1" } } };
  const attachments = [{ mimetype: "application/octet-stream", contentId: "doc1", name: "doc1", body: document }];
  [{ result: sent }] = await doctor.SubmitMessageAsync(
    { senderHerId: sender, receiverHerId: [receiver], document: include },
    { attachments, forceMTOM: true },
  );
} else {
  [{ result: sent }] = await doctor.SubmitMessageAsync({
    senderHerId: sender,
    receiverHerId: [receiver],
    document: document.toString("base64"),
  });
}
seen.duplicate = sent.duplicate;
const [{ result: fetched }] = await nurse.FetchMessageAsync({ messageId: sent.messageId });
seen.same = Buffer.from(fetched.document, "base64").equals(document);
seen.isAppRec = fetched.message.isAppRec;
const [{ result: status }] = await doctor.GetMessageStatusAsync({ messageId: sent.messageId });
seen.state = [status.receiver].flat()[0].transportDeliveryState;
const [{ result: done }] = await nurse.ConfirmMessagesAsync({ herId: receiver, messageId: [sent.messageId] });
seen.confirmed = done.confirmed;
const [{ result: answered }] = await nurse.SubmitAppRecAsync({ messageId: sent.messageId, herId: receiver, status: "Ok" });
seen.answered = Boolean(answered.messageId);
const [{ result: events }] = await doctor.GetEventsAsync({ herId: [sender], afterOffset: 0, max: 1000 });
seen.events = [events.event].flat().length > 0;
const [{ result: listed }] = await nurse.ListMessagesAsync({ herId: [receiver], max: 1000 });
seen.gone = ![listed.message ?? []].flat().some((one) => one.messageId === sent.messageId);
try {
  await doctor.SubmitMessageAsync({ senderHerId: receiver, document: document.toString("base64") });
} catch (error) {
  const fault = error.root.Envelope.Body.Fault;
  seen.fault = (fault.detail ?? fault.Detail).HubFault.code;
}
console.log(JSON.stringify(seen));
