// Reads an AsyncAPI document from the standard input and prints what AsyncAPI's own parser says of it, as JSON.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const found = diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join("/"), message }));
console.log(JSON.stringify(found));
