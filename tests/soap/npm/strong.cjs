// The npm client `strong-soap`: sends, fetches, and reads a fault; prints what it saw as JSON.
const fs = require("node:fs");
const { promisify } = require("node:util");
const { soap } = require("strong-soap");

const [, , wsdl, sender, receiver, nurseAuth, doctorAuth, file] = process.argv;
const document = fs.readFileSync(file);

function client(auth) {
  const [name, key] = auth.split("\n");
  return new Promise((resolve, reject) =>
    soap.createClient(wsdl, {}, (error, made) => {
      if (error) return reject(error);
      made.setSecurity(new soap.BasicAuthSecurity(name, key));
      resolve(made);
    }),
  );
}

async function main() {
  const doctor = await client(doctorAuth);
  const nurse = await client(nurseAuth);
  const call = (one, name, values) => promisify(one[name].bind(one))(values);
  const seen = {};
  const given = { senderHerId: sender, receiverHerId: [receiver], document: document.toString("base64") };
  const sent = (await call(doctor, "SubmitMessage", given)).result;
  seen.duplicate = sent.duplicate;
  const fetched = (await call(nurse, "FetchMessage", { messageId: sent.messageId })).result;
  seen.same = Buffer.from(fetched.document, "base64").equals(document);
  try {
    await call(doctor, "SubmitMessage", { senderHerId: receiver, document: "AA==" });
  } catch (error) {
    seen.fault = /not-your-party/.test(error.message + JSON.stringify(error.root ?? {}) + (error.body ?? ""));
  }
  console.log(JSON.stringify(seen));
}

main();
