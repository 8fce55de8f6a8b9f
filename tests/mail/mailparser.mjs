// Reads messages, one in hexadecimal on each line; prints what mailparser makes of their headers.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.argv[2]}/`);
const { simpleParser } = require("mailparser");

for await (const line of createInterface({ input: process.stdin })) {
  const mail = await simpleParser(Buffer.from(line, "hex"));
  console.log(JSON.stringify([mail.subject, mail.from.value[0].name, mail.text ?? "", mail.html || ""]));
}
