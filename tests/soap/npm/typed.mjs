// A typed client as wsdl-tsclient generates it; a program that uses it is checked by TypeScript, compiled and run.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Project, ts } from "ts-morph";
import { parseAndGenerate } from "wsdl-tsclient";

const [, , wsdl, sender, receiver, nurseAuth, doctorAuth, file, folder] = process.argv;

const own = path.join(folder, "contract.wsdl");
fs.writeFileSync(own, Buffer.from(await (await fetch(wsdl)).arrayBuffer()));
await parseAndGenerate(own, path.join(folder, "made"), { esm: true, quiet: true });
fs.writeFileSync(path.join(folder, "package.json"), '{"type": "module"}');

const use = path.join(folder, "use.ts");
fs.writeFileSync(
  use,
  `import { BasicAuthSecurity } from "soap";
import { createClientAsync, type ContractClient } from "./made/contract/client.js";

export async function client(wsdl: string, auth: string): Promise<ContractClient> {
  const one = await createClientAsync(wsdl);
  const [name, key] = auth.split("\\n");
  one.setSecurity(new BasicAuthSecurity(name!, key!));
  return one;
}

export async function exchange(doctor: ContractClient, nurse: ContractClient, sender: string, receiver: string, document: string) {
  const [{ result: sent }] = await doctor.SubmitMessageAsync({ senderHerId: sender, receiverHerId: [receiver], document });
  const duplicate: boolean | undefined = sent?.duplicate;
  const [{ result: fetched }] = await nurse.FetchMessageAsync({ messageId: sent?.messageId });
  const back: string | undefined = fetched?.document;
  return { duplicate, back };
}
`,
);
const options = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  strict: true,
  skipLibCheck: true,
  types: [],
};
const project = new Project({ compilerOptions: options });
project.addSourceFilesAtPaths([use, path.join(folder, "made/**/*.ts")]);
const mistakes = project.getPreEmitDiagnostics().map((one) => ts.flattenDiagnosticMessageText(one.compilerObject.messageText, "\n"));
await project.emit();

const { client, exchange } = await import(pathToFileURL(path.join(folder, "use.js")).href);
const document = fs.readFileSync(file);
const [doctor, nurse] = [await client(wsdl, doctorAuth), await client(wsdl, nurseAuth)];
const { duplicate, back } = await exchange(doctor, nurse, sender, receiver, document.toString("base64"));
console.log(JSON.stringify({ mistakes, duplicate, same: Buffer.from(back, "base64").equals(document) }));
