// Verifies an exported Daybook log offline, by the rules of docs/verify.md: node verify.mjs DIR [--json].
// It needs Node 18 or newer and nothing else. Files are read as streams, so memory does not grow with the log.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `usage: node verify.mjs DIR [--json]

Verifies the export in the folder DIR: hash chains, entries, manifest. It needs no server.
The last line it prints is \`valid\`, or \`invalid: \` and the first finding.
With --json it prints one line of JSON instead.

exit codes: 0 valid, 1 invalid, 2 could not check
`;
const LONGEST_LINE = 67108864; // bytes, without the line feed
const DEEPEST = 512;
const MOST_FINDINGS = 1000;
const LONGEST_VALUE = 200; // bytes of JCS that a finding shows
const CHUNK = 1 << 20; // bytes read at once
const ZERO_HASH = '0'.repeat(64);
const EXPORT_MEMBERS = ['v', 'kind', 'made_at', 'source', 'filter', 'files', 'digest'];
const FILE_MEMBERS = ['name', 'partition', 'first', 'last', 'entries', 'sha256'];
const COLUMNS = ['action', 'actor_user_id', 'created_at', 'entity_id', 'entity_type', 'id', 'metadata_json', 'org_id',
  'project_id', 'result'];
const METADATA = ['command_id', 'commit', 'data', 'entries', 'error', 'hash', 'key', 'ordinal', 'partition', 'position',
  'prev', 'principal', 'request', 'salt', 'scope', 'v'];

/** What the data of an accepted command has, by action: `name form`, or `name? form` if it may be absent. */
const DATA = {
  REGISTER_USER: 'changed? false, user_id uuid',
  CREATE_ORG: 'name text',
  RENAME_ORG: 'changed? false, name text',
  ADD_MEMBER: 'role role, user_id uuid',
  UPDATE_MEMBER: 'changed? false, project_ids? uuids, role role, user_id uuid',
  REMOVE_MEMBER: 'project_ids uuids, user_id uuid',
  CREATE_PROJECT: 'name text, project_id uuid',
  RENAME_PROJECT: 'changed? false, name text, project_id uuid',
  ADD_PROJECT_MEMBER: 'project_id uuid, role project role, user_id uuid',
  UPDATE_PROJECT_MEMBER: 'changed? false, project_id uuid, role project role, user_id uuid',
  REMOVE_PROJECT_MEMBER: 'project_id uuid, user_id uuid',
  CREATE_CONNECTION: 'config config, connection_id uuid, name text, project_id uuid, type text',
  UPDATE_CONNECTION: 'changed? false, config? config, connection_id uuid, name? text',
  ACTIVATE_CONNECTION: 'changed? false, connection_id uuid, reason? text',
  DEACTIVATE_CONNECTION: 'changed? false, connection_id uuid, reason? text',
  DELETE_CONNECTION: 'connection_id uuid',
  START_SYNC: 'connection_id uuid, sync_run_id uuid',
  COMPLETE_SYNC: 'connection_id uuid, stats? object, sync_run_id uuid',
  FAIL_SYNC: 'connection_id uuid, error_message text, sync_run_id uuid',
  CANCEL_SYNC: 'connection_id uuid, reason? text, sync_run_id uuid',
  RECORD_DLQ_EVENT: 'connection_id uuid, dlq_event_id uuid, error? text, payload any',
  RETRY_DLQ_EVENT: 'connection_id uuid, dlq_event_id uuid, retry_count count',
  RESOLVE_DLQ_EVENT: 'connection_id uuid, dlq_event_id uuid, reason? text, resolution resolution',
  RETRY_DLQ_EVENTS: 'changed? false, connection_id uuid, filter? filter, ids uuids, remaining? count',
  RESOLVE_DLQ_EVENTS: 'changed? false, connection_id uuid, filter? filter, ids uuids, reason? text, remaining? count, resolution resolution',
  RAISE_ALERT: 'alert_id uuid, connection_id? uuid, message text, project_id uuid, rule? rule, severity severity',
  ESCALATE_ALERT: 'alert_id uuid, connection_id uuid, message text, rule rule, severity severity',
  RESOLVE_ALERT: 'alert_id uuid, connection_id? uuid, rule? rule',
  CREATE_SECRET_REF: 'key_name text, secret_id_ref text, secret_ref_id uuid',
  ROTATE_SECRET_REF: 'changed? false, secret_id_ref text, secret_ref_id uuid',
  DELETE_SECRET_REF: 'secret_ref_id uuid',
};

class NoCanonicalForm extends Error {} // a lone surrogate, or a number that is no finite double

/** The canonical JSON of what JSON.parse returned. Throws NoCanonicalForm. */
function jcs(value) {
  if (typeof value === 'string') return jcsOfString(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new NoCanonicalForm();
    return String(value); // RFC 8785 prescribes just this function; -0 gives "0"
  }
  if (Array.isArray(value)) return `[${value.map((item) => jcs(item)).join(',')}]`;
  if (isObject(value)) {
    const names = Object.keys(value).sort(); // sort compares UTF-16 code units
    return `{${names.map((name) => `${jcsOfString(name)}:${jcs(value[name])}`).join(',')}}`;
  }
  return String(value); // null, true, false
}

function jcsOfString(text) {
  if (/\p{Surrogate}/u.test(text)) throw new NoCanonicalForm(); // with the flag u, pairs do not match
  return JSON.stringify(text);
}

function canonical(value) {
  try {
    return jcs(value);
  } catch (error) {
    if (error instanceof NoCanonicalForm) return undefined;
    throw error;
  }
}

/** The object in these bytes and their text, or undefined if they are unreadable. */
function readObject(bytes) {
  if (bytes.length > LONGEST_LINE) return undefined;
  const text = decoded(bytes);
  if (text === undefined || isTooDeep(text)) return undefined;
  try {
    const value = JSON.parse(text); // of members of one name it takes the last; __proto__ is a member like others
    return isObject(value) ? { text, value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The text in UTF-8 bytes, a byte order mark included, or undefined if they are not valid. */
function decoded(bytes) {
  const text = bytes.toString('utf8'); // puts U+FFFD for what is not valid
  return text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(bytes) ? undefined : text;
}

/** Whether a JSON text nests too deep. The parsed value does not tell, as JSON.parse drops members of equal names. */
function isTooDeep(text) {
  if (text.length <= 2 * DEEPEST) return false; // too short for as many pairs of brackets
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString && character === '\\') at += 1;
    else if (character === '"') inString = !inString;
    else if (inString) continue;
    else if (character === ']' || character === '}') depth -= 1;
    else if (character === '[' || character === '{') depth += 1;
    if (depth > DEEPEST) return true;
  }
  return false;
}

function without(object, ...names) {
  const rest = { ...object };
  for (const name of names) delete rest[name];
  return rest;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string';
const isInteger = (value, least, most) => Number.isInteger(value) && value >= least && value <= most;
const isCount = (value) => isInteger(value, 0, Number.MAX_SAFE_INTEGER);
const isMatch = (pattern) => (value) => isText(value) && pattern.test(value);
const isUuid = isMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const isHash = isMatch(/^[0-9a-f]{64}$/);
const isSalt = isMatch(/^[0-9a-f]{32}$/);
const isOneOf = (...values) => (value) => values.includes(value);
const isArrayOf = (isForm) => (value) => Array.isArray(value) && value.every((item) => isForm(item));
const isObjectOf = (isForm) => (value) => isObject(value) && Object.values(value).every((member) => isForm(member));
const hasOnly = (object, names) => Object.keys(object).every((name) => names.includes(name));
const hasExactly = (object, names) => hasOnly(object, names) && names.every((name) => Object.hasOwn(object, name));

function isTime(value) {
  if (!isText(value) || !/^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/.test(value)) return false;
  const date = value.slice(0, 10);
  const midnight = new Date(`${date}T00:00:00Z`); // of February 30 either no date or another one
  return date >= '0001' && !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date);
}

const FORMS = {
  text: isText,
  uuid: isUuid,
  count: isCount,
  uuids: isArrayOf(isUuid),
  false: (value) => value === false,
  any: () => true,
  object: isObject,
  config: (value) => isObject(value) && (!Object.hasOwn(value, 'secrets') || isObjectOf(isText)(value.secrets)),
  filter: (value) => isObjectOf(isCount)(value) && hasOnly(value, ['max_retry_count']),
  role: isOneOf('owner', 'admin', 'member', 'viewer'),
  'project role': isOneOf('admin', 'editor', 'viewer'),
  severity: isOneOf('critical', 'warning', 'info'),
  resolution: isOneOf('replayed', 'manual', 'duplicate', 'discarded'),
  rule: isOneOf('sync_failing', 'dlq_backlog', 'sync_stalled'),
};

const DATA_FORMS = new Map();
for (const [action, members] of Object.entries(DATA)) {
  DATA_FORMS.set(action, members.split(', ').map((member) => {
    const [, name, optional, form] = /^(\w+)(\??) (.+)$/.exec(member);
    return { name, isOptional: optional === '?', isForm: FORMS[form] };
  }));
}

function isData(data, action, result) {
  if (!isObject(data)) return false;
  if (result === 'failure') return true;
  const forms = DATA_FORMS.get(action);
  return hasOnly(data, forms.map(({ name }) => name)) && forms.every(
    ({ name, isOptional, isForm }) => (Object.hasOwn(data, name) ? isForm(data[name]) : isOptional));
}

function sha256(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part); // a string as UTF-8
  return hash.digest();
}

const hex = (...parts) => sha256(...parts).toString('hex');
const uuidBytes = (uuid) => Buffer.from(uuid.replaceAll('-', ''), 'hex');

function entryHash(entry, metadata) {
  return hex('daybook-entry/v1\n', jcs({ ...entry, metadata_json: without(metadata, 'data', 'salt', 'hash') }));
}

function rowHash(entry, metadata) {
  return sha256('daybook-row/v1\n', jcs({ ...entry, metadata_json: without(metadata, 'data', 'salt') }));
}

/** The commit of the entry's data, or undefined if it cannot be computed. */
function commitOf({ salt, data }) {
  return isSalt(salt) && data !== undefined ? hex('daybook-data/v1\n', Buffer.from(salt, 'hex'), jcs(data)) : undefined;
}

/** The entry's first id, or undefined if it cannot be computed. */
function firstId(entry, { scope, key, command_id: commandId, ordinal, data }) {
  let actor = '00000000-0000-0000-0000-000000000000';
  if (scope === 'outsider') actor = entry.actor_user_id === null ? data?.actor_user_id : entry.actor_user_id;
  const isKnown = isOneOf('org', 'user', 'outsider', 'policy')(scope) && isInteger(ordinal, 0, 0xffffffff);
  if (!isKnown || ![key, actor, commandId].every(isUuid)) return undefined;
  const number = Buffer.alloc(4);
  number.writeUInt32BE(ordinal);
  const ids = [key, actor, commandId].map(uuidBytes);
  const digest = sha256('daybook-id/v1\n', `${scope}\n`, ...ids, number);
  const id = Buffer.concat([uuidBytes(commandId).subarray(0, 6), digest.subarray(0, 10)]);
  id[6] = (id[6] & 0x0f) | 0x80; // version 8
  id[8] = (id[8] & 0x3f) | 0x80; // variant
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** What a file's lines have been up to now. `lastHash` and `lastTime` are undefined where there is none. */
class Chain {
  constructor(partition, isFiltered) {
    Object.assign(this, { partition, isFiltered, lastPosition: -1, lastHash: ZERO_HASH, lastTime: undefined });
  }

  get nextPosition() {
    return this.lastPosition + 1; // as a double: never above 2^53
  }

  /** Goes on after a line; `entry` is undefined if the line is unreadable. */
  follow(entry) {
    const unstated = entry === undefined && this.isFiltered ? this.lastPosition : this.nextPosition;
    this.lastPosition = statedPosition(entry) ?? unstated;
    const { hash } = metadataOf(entry);
    this.lastHash = isHash(hash) ? hash : undefined;
    this.lastTime = isTime(entry?.created_at) ? entry.created_at : undefined;
  }
}

const metadataOf = (entry) => (isObject(entry?.metadata_json) ? entry.metadata_json : {});

/** The position that an entry states, or undefined if that is no count. */
function statedPosition(entry) {
  const { position } = metadataOf(entry);
  return isCount(position) ? position : undefined;
}

const isRedacted = (metadata) => metadata.data === null && metadata.salt === null;
const unlessEqual = (expected, found) => (found === expected && found !== undefined ? null : { expected, found });

/** The checks after `canonical`, in order: each gives null if it holds, else members of the finding. */
const CHECKS = {
  partition: (entry, metadata, chain) => unlessEqual(chain.partition, metadata.partition),
  position(entry, { position }, { isFiltered, lastPosition, nextPosition }) {
    if (!isFiltered) return unlessEqual(nextPosition, position);
    if (isCount(position) && position > lastPosition) return null;
    return { expected: lastPosition === -1 ? undefined : `above ${lastPosition}`, found: position };
  },
  prev(entry, { prev }, { isFiltered, lastHash }) {
    return isFiltered || lastHash === undefined ? null : unlessEqual(lastHash, prev);
  },
  hash: (entry, metadata) => unlessEqual(entryHash(entry, metadata), metadata.hash),
  id: (entry, metadata) => unlessEqual(firstId(entry, metadata), entry.id),
  commit: (entry, metadata) => (isRedacted(metadata) ? null : unlessEqual(commitOf(metadata), metadata.commit)),
  columns(entry, metadata) {
    const broken = COLUMN_RULES.find(([, holds]) => !holds(entry, metadata));
    if (broken === undefined) return hasOnly(entry, COLUMNS) && hasOnly(metadata, METADATA) ? null : {};
    const [field] = broken;
    const [, name] = /^metadata_json\.(.+)$/.exec(field) ?? [];
    return { field, found: name === undefined ? entry[field] : metadata[name] };
  },
  created_at({ created_at: time }, metadata, { lastTime }) {
    if (!isTime(time)) return { found: time };
    return lastTime === undefined || time > lastTime ? null : { expected: `later than ${lastTime}`, found: time };
  },
  data: ({ action, result }, metadata) => (isRedacted(metadata) || isData(metadata.data, action, result) ? null : {}),
};

const isUuidOrNull = (value) => value === null || isUuid(value);
const isRegistration = (entry) => entry.action === 'REGISTER_USER';

const COLUMN_RULES = [
  ['metadata_json.v', (entry, { v }) => v === 1],
  ...['commit', 'prev', 'principal', 'request'].map(
    (name) => [`metadata_json.${name}`, (entry, metadata) => isText(metadata[name])]),
  ['action', ({ action, result }) => DATA_FORMS.has(action) && !(result === 'failure' && action === 'ESCALATE_ALERT')],
  ['result', ({ result }) => result === 'success' || result === 'failure'],
  ['entity_type', (entry) => isText(entry.entity_type)],
  ['entity_id', (entry) => isUuid(entry.entity_id)],
  ['org_id', (entry) => isUuid(entry.org_id)
    || (entry.org_id === null && (entry.result === 'failure' || isRegistration(entry)))],
  ['project_id', (entry) => isUuidOrNull(entry.project_id)],
  ['actor_user_id', (entry) => isUuidOrNull(entry.actor_user_id)],
  ['metadata_json.error', ({ result }, { error }) => (result === 'success' ? error === undefined
    : isObjectOf(isText)(error) && hasExactly(error, ['code', 'detail']))],
  ['metadata_json.entries', (entry, { entries, ordinal }) => isInteger(entries, 1, 1000) && entries > ordinal],
  ['metadata_json.scope', (entry, { scope }) => (scope === 'outsider' ? entry.result === 'failure'
    : isOneOf(...(isRegistration(entry) ? ['user'] : ['org', 'policy']))(scope))],
  ['metadata_json.key', (entry, metadata) => {
    if (isRegistration(entry)) return metadata.key === entry.entity_id;
    if (entry.org_id !== null) return metadata.key === entry.org_id;
    return isRedacted(metadata) || metadata.key === metadata.data?.org_id; // that a key is a uuid is part of `id`
  }],
];

/** Checks a line. Gives the entry if it is readable, its finding's members or null, and whether it is redacted. */
function checkLine({ bytes, hasLineFeed }, chain) {
  const { text, value: entry } = readObject(bytes) ?? {};
  if (entry === undefined) return { finding: { check: 'unreadable' } };
  const id = isUuid(entry.id) ? entry.id : undefined;
  if (!hasLineFeed || canonical(entry) !== text) return { entry, finding: { check: 'canonical', id } };
  const metadata = metadataOf(entry);
  let hasCommit = false;
  for (const [check, run] of Object.entries(CHECKS)) {
    const fault = run(entry, metadata, chain);
    if (fault !== null) return { entry, finding: { check, id, ...fault }, redacted: hasCommit && isRedacted(metadata) };
    hasCommit ||= check === 'commit';
  }
  return { entry, finding: null, redacted: isRedacted(metadata) };
}

/** Keeps the first findings in the order of the page, and counts the rest. */
class Findings {
  #kept = [];
  #count = 0;

  add(finding) {
    const members = Object.entries(finding).filter(([, value]) => value !== undefined);
    this.#kept.push(Object.fromEntries(members.map(([name, value]) => [name, shortened(value)])));
    this.#count += 1;
    if (this.#kept.length >= 2 * MOST_FINDINGS) this.#cut();
  }

  first() {
    this.#cut();
    return { findings: this.#kept, more: this.#count - this.#kept.length };
  }

  #cut() {
    this.#kept.sort((a, b) => compared(a.partition, b.partition) || compared(a.position, b.position));
    this.#kept.length = Math.min(this.#kept.length, MOST_FINDINGS);
  }
}

/** Compares two numbers, either of which may be absent: that comes last. */
function compared(a = Infinity, b = Infinity) {
  return a === b ? 0 : a < b ? -1 : 1;
}

function shortened(value) {
  const text = jcs(value);
  return Buffer.byteLength(text) > LONGEST_VALUE ? `sha256:${hex(text)}` : value;
}

function isFile(path) {
  try {
    return statSync(path).isFile();
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ELOOP') return false;
    throw error;
  }
}

/** The manifest's text and value, or undefined if it is not readable or breaks a rule of the page. */
function readManifest(path) {
  if (!isFile(path)) throw new Error(`there is no file ${path}: not a whole export`);
  const read = statSync(path).size > LONGEST_LINE ? undefined : readObject(readFileSync(path));
  if (read !== undefined && (read.value.kind !== 'daybook-export' || read.value.v !== 1)) {
    throw new Error(`${path} is not the manifest of an export of version 1`);
  }
  return read !== undefined && isManifest(read.value) ? read : undefined;
}

function isManifest(manifest) {
  const { made_at: madeAt, source, filter, files, digest } = manifest;
  return hasExactly(manifest, EXPORT_MEMBERS) && isTime(madeAt) && isOneOf('topic', 'audit_log')(source)
    && (filter === null || isObject(filter)) && isText(digest) && isArrayOf(isManifestFile)(files)
    && files.every((file, index) => index === 0 || file.partition > files[index - 1].partition);
}

function isManifestFile(file) {
  return isObject(file) && hasExactly(file, FILE_MEMBERS) && [file.partition, file.first, file.last].every(isCount)
    && file.name === `partition-${String(file.partition).padStart(4, '0')}.jsonl` && isCount(file.entries)
    && file.entries > 0 && isHash(file.sha256);
}

/** Yields a file's lines, and gives its bytes to `hash`. Of a line that is too long only the first bytes are kept. */
function* linesOf(path, hash) {
  const file = openSync(path, 'r');
  const chunk = Buffer.allocUnsafe(CHUNK);
  let pieces = []; // of the line up to now
  let length = 0;
  const keep = (bytes) => {
    if (length <= LONGEST_LINE) pieces.push(bytes);
    length += bytes.length;
  };
  for (;;) {
    const read = chunk.subarray(0, readSync(file, chunk));
    if (read.length === 0) break;
    hash.update(read);
    let start = 0;
    for (let end = read.indexOf(10); end !== -1; end = read.indexOf(10, start)) {
      keep(read.subarray(start, end));
      yield { bytes: Buffer.concat(pieces), hasLineFeed: true };
      [pieces, length, start] = [[], 0, end + 1];
    }
    if (start < read.length) keep(Buffer.from(read.subarray(start))); // a copy, as the chunk is read into again
  }
  if (length > 0) yield { bytes: Buffer.concat(pieces), hasLineFeed: false };
  closeSync(file);
}

/** Checks one file of entries. Gives its object of `partitions`. */
function checkFile(path, file, isFiltered, findings, redacted) {
  const { partition } = file;
  const reportMissing = (position) => findings.add({ check: 'missing', place: 'export', partition, position });
  if (!isFile(path)) {
    reportMissing(file.first);
    return { partition, entries: 0 };
  }
  const chain = new Chain(partition, isFiltered);
  const hash = createHash('sha256');
  let [entries, first, digest, isClean] = [0, undefined, Buffer.alloc(32), true];
  for (const line of linesOf(path, hash)) {
    const { entry, finding, redacted: isListed } = checkLine(line, chain);
    const position = isFiltered ? statedPosition(entry) : chain.nextPosition;
    if (finding !== null) findings.add({ place: 'export', partition, position, ...finding });
    if (isListed) redacted.push(entry.id);
    chain.follow(entry);
    entries += 1;
    isClean &&= finding === null;
    if (isClean) digest = sha256(digest, rowHash(entry, metadataOf(entry)));
    if (!isFiltered || entry !== undefined) first ??= chain.lastPosition;
  }
  if (!isFiltered && chain.lastPosition < file.last) reportMissing(chain.nextPosition);
  const last = first === undefined ? undefined : chain.lastPosition;
  const actual = { sha256: hash.digest('hex'), first, last, entries };
  for (const [field, expected] of Object.entries(actual)) {
    if (expected === undefined || expected === file[field]) continue;
    const check = field === 'sha256' ? 'hash' : 'columns';
    findings.add({ check, place: 'manifest', partition, field, expected, found: file[field] });
  }
  if (!isClean || entries === 0) return { partition, entries };
  return { partition, entries, position: chain.lastPosition, hash: chain.lastHash, digest: digest.toString('hex') };
}

function verifyExport(folder) {
  const names = readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare);
  const findings = new Findings();
  const read = readManifest(join(folder, 'manifest.json'));
  if (read === undefined) {
    findings.add({ check: 'unreadable', place: 'manifest' });
    return reportOf(findings, [], []);
  }
  const { text, value: manifest } = read;
  const manifestText = canonical(manifest);
  if (manifestText !== text) findings.add({ check: 'canonical', place: 'manifest' });
  const expected = manifestText === undefined ? manifest.digest : hex(jcs(without(manifest, 'digest')));
  if (manifest.digest !== expected) {
    findings.add({ check: 'hash', place: 'manifest', field: 'digest', expected, found: manifest.digest });
  }
  const redacted = [];
  const partitions = manifest.files.map(
    (file) => checkFile(join(folder, file.name), file, manifest.filter !== null, findings, redacted));
  const listed = new Set(['manifest.json', ...manifest.files.map((file) => file.name)]);
  const surplus = names.map((name) => name.toString('utf8')).filter((name) => !listed.has(name));
  for (const name of surplus) findings.add({ check: 'surplus', place: 'export', field: name });
  return reportOf(findings, partitions, redacted);
}

function reportOf(findings, partitions, redacted) {
  const first = findings.first();
  return { result: first.findings.length === 0 ? 'valid' : 'invalid', partitions, redacted, ...first };
}

function textOf({ partitions, redacted, findings, more }) {
  const ends = ({ position, hash, digest }) => (hash ? `, position ${position}, hash ${hash}, digest ${digest}` : '');
  return [
    ...partitions.map((file) => `partition ${file.partition}: entries ${file.entries}${ends(file)}`),
    ...redacted.map((id) => `redacted ${id}`),
    ...findings.map(textOfFinding),
    ...(more > 0 ? [`and ${more} more findings`] : []),
    findings.length === 0 ? 'valid' : `invalid: ${textOfFinding(findings[0])}`,
  ].join('\n');
}

function textOfFinding({ check, place, partition, position, id, field, expected, found }) {
  let text = `${check}: ${place}`;
  if (partition !== undefined) text += ` ${partition}`;
  if (position !== undefined) text += `.${position}`;
  if (id !== undefined) text += `, id ${id}`;
  // A file's name may have any characters, also line feeds, so only plain ones stand without quotes.
  if (field !== undefined) text += `, field ${/^[\w.:-]+$/.test(field) ? field : jcs(field)}`;
  if (expected !== undefined) text += `, expected ${jcs(expected)}`;
  if (found !== undefined) text += `, found ${jcs(found)}`;
  return text;
}

function main() {
  try {
    const options = { json: { type: 'boolean' }, help: { type: 'boolean' } };
    const { values, positionals } = parseArgs({ args: process.argv.slice(2), options, allowPositionals: true });
    if (values.help) return void process.stdout.write(HELP);
    if (positionals.length !== 1) throw new Error('give one folder: node verify.mjs DIR [--json]');
    const report = verifyExport(positionals[0]);
    process.stdout.write(`${values.json ? jcs(report) : textOf(report)}\n`);
    process.exitCode = report.findings.length === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`verify.mjs: ${error.message.replaceAll('\n', ' ')}\n`);
    process.exitCode = 2;
  }
}

main();
