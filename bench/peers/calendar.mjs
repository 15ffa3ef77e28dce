// @googleapis/calendar, fifty looks at once: node calendar.mjs COUNT ROOT FOLDER-OF-PACKAGES. Prints its cost as JSON.
import { createRequire } from "node:module";

const [count, root, packages] = [Number(process.argv[2]), process.argv[3], process.argv[4]];
const { auth, calendar } = createRequire(`${packages}/`)("@googleapis/calendar");
const AT_ONCE = 50;

const user = new auth.OAuth2();
user.setCredentials({ access_token: "ya29.c.0", expiry_date: Date.now() + 7_200_000 });
const client = calendar({ version: "v3", auth: user, rootUrl: root });

async function one(number) {
  const calendarId = `c${String(number).padStart(7, "0")}@example.org`;
  const page = (await client.events.list({ calendarId, syncToken: "CPj0000000000_5EDEPj0000000000_5EDGAUg" })).data;
  if (page.items.length || !page.nextSyncToken) {
    throw new Error("A look was not answered with a quiet page that has a sync token.");
  }
}

async function look(last) {
  let next = 0;
  const some = async () => {
    while (next < last) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

await look(Math.max(Math.floor(count / 10), 1));
const before = process.cpuUsage();
const began = process.hrtime.bigint();
await look(count);
const used = process.cpuUsage(before);
const wall = Number(process.hrtime.bigint() - began) / 1e9;
console.log(JSON.stringify({ units: count, cpu_seconds: (used.user + used.system) / 1e6, wall_seconds: wall }));
