// Sends a command over Kafka with kafkajs and waits for its reply. Any other client does the same four things:
// 1. the key is the routing key, and the partitioner is Java's (murmur2);
// 2. acks from all replicas, from an idempotent producer;
// 3. the headers reply-partition and correlation-id ask for a reply;
// 4. the results topic is read from an end that was fixed before the command was sent.
import { randomUUID } from "node:crypto";
import { Kafka, Partitioners, logLevel } from "kafkajs";

const prefix = process.env.DAYBOOK_TOPIC_PREFIX ?? "daybook.";
const results = `${prefix}results`;
const partition = 0;
const kafka = new Kafka({ brokers: process.env.DAYBOOK_KAFKA_BOOTSTRAP.split(","), logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
const consumer = kafka.consumer({ groupId: `shop-${randomUUID()}` });
const admin = kafka.admin();
const waiting = new Map();

async function connect() {
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [results] });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      waiting.get(message.headers["correlation-id"]?.toString())?.(JSON.parse(message.value));
    },
  });
  await joined;
  const ends = await admin.fetchTopicOffsets(results);
  consumer.seek({ topic: results, partition, offset: ends.find((each) => each.partition === partition).high });
}

/** Sends the same command again until there is a reply: with its id, it never acts twice. */
async function send(key, command) {
  const correlation = randomUUID();
  const reply = new Promise((resolve) => waiting.set(correlation, resolve));
  const headers = {
    "daybook-principal": "service:shop",
    "reply-partition": String(partition),
    "correlation-id": correlation,
  };
  const messages = [{ key, value: JSON.stringify(command), headers }];
  for (;;) {
    await producer.send({ topic: `${prefix}commands`, acks: -1, messages });
    const answer = await Promise.race([reply, new Promise((resolve) => setTimeout(resolve, 8000).unref())]);
    if (answer) return answer;
  }
}

await connect();
const user = randomUUID();
const answer = await send(user, { id: randomUUID(), type: "REGISTER_USER", data: { user_id: user } });
console.log(answer.result, answer.entries?.[0].entity_id === user);
await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()]);
