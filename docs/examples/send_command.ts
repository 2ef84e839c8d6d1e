// Sends a command over HTTP with types from the OpenAPI document, and tells its three outcomes apart.
import type { components } from "./daybook.js";

type Schemas = components["schemas"];
type Command = Schemas["CreateOrg"] | Schemas["CreateProject"] | Schemas["RegisterUser"]; // what this program sends
type Rejected = { kind: "rejected"; code: Schemas["Code"]; detail: string };
type Outcome = { kind: "accepted"; position: string } | Rejected | { kind: "unknown"; reason: string };

const URL = process.env["DAYBOOK_URL"] ?? "http://127.0.0.1:8000";
const HEADERS = { authorization: `Bearer ${process.env["DAYBOOK_TOKEN"]}`, "content-type": "application/json" };

/** The command needs an `id`, so that every retry is the same command. */
async function send(command: Command & { id: string }, seconds = 30): Promise<Outcome> {
  const endsAt = Date.now() + 1000 * seconds;
  for (let pause = 100; ; pause = Math.min(2 * pause, 5000)) {
    const outcome = await attempt(command, endsAt);
    if (outcome.kind !== "unknown" || Date.now() + pause > endsAt) return outcome;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function attempt(command: Command, endsAt: number): Promise<Outcome> {
  try {
    const signal = AbortSignal.timeout(Math.min(8000, Math.max(1, endsAt - Date.now())));
    const body = JSON.stringify(command);
    const response = await fetch(`${URL}/v1/commands`, { method: "POST", headers: HEADERS, body, signal });
    const answer = await response.json();
    if (response.status === 401) throw new TypeError(`the token is refused: ${answer.detail}`, { cause: "token" });
    if (response.status === 200) return { kind: "accepted", position: answer.position };
    if (answer.code && answer.code !== "UNAVAILABLE" && answer.code !== "TOO_MANY_REQUESTS") {
      return { kind: "rejected", code: answer.code, detail: answer.detail };
    }
    return { kind: "unknown", reason: `HTTP ${response.status}` };
  } catch (error) {
    if (error instanceof Error && error.cause === "token") throw error;
    return { kind: "unknown", reason: String(error) };
  }
}

const [user, org] = [crypto.randomUUID(), crypto.randomUUID()];
const by = { org_id: org, actor_user_id: user };
const commands: (Command & { id: string })[] = [
  { id: crypto.randomUUID(), type: "REGISTER_USER", data: { user_id: user } },
  { id: crypto.randomUUID(), type: "CREATE_ORG", ...by, data: { name: "Acme" } },
  { id: crypto.randomUUID(), type: "CREATE_PROJECT", ...by, data: { name: "" } },
];
for (const command of commands) {
  const outcome = await send(command);
  console.log(command.type, outcome.kind, outcome.kind === "rejected" ? outcome.code : "");
}
