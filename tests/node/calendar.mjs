// Google's client for Node, unchanged, at a simulated Google. Standard input: {"root": …, "grant": an authorized
// user, "address": where messages are taken}. Standard output: what came of each step.
import {readFileSync} from 'node:fs';

import {auth, calendar} from '@googleapis/calendar';

const {root, grant, address} = JSON.parse(readFileSync(0, 'utf8'));
const user = new auth.OAuth2({
  clientId: grant.client_id,
  clientSecret: grant.client_secret,
  endpoints: {oauth2TokenUrl: grant.token_uri},
});
user.setCredentials({refresh_token: grant.refresh_token});
const {channels, events, calendarList} = calendar({version: 'v3', auth: user, rootUrl: root});
const calendarId = 'primary';

const listed = async query => {
  const found = [];
  for (let pageToken; ;) {
    const {data} = await events.list({calendarId, maxResults: 2, ...query, pageToken});
    found.push(...data.items);
    if (!data.nextPageToken) return {found, syncToken: data.nextSyncToken};
    pageToken = data.nextPageToken;
  }
};
const refused = async call => {
  try {
    await call;
  } catch (error) {
    return [error.status, error.response?.data?.error?.errors?.[0]?.reason ?? String(error)];
  }
  return 'it was not refused';
};

const at = hour => ({dateTime: `2026-12-01T${hour}:00:00+01:00`, timeZone: 'Europe/Paris'});
const made = [];
for (const summary of ['one', 'two', 'three']) {
  made.push((await events.insert({calendarId, requestBody: {summary, start: at(10), end: at(11)}})).data);
}
const first = await listed({});
const [{id: eventId, etag}, {id: goes}] = made;
const change = location => events.patch({calendarId, eventId, requestBody: {location}}, {headers: {'If-Match': etag}});
const patched = (await change('Room 1')).data;
const stale = await refused(change('Room 2'));
await events.delete({calendarId, eventId: goes});
const again = await refused(events.delete({calendarId, eventId: goes}));
const second = await listed({syncToken: first.syncToken});
const third = await listed({syncToken: second.syncToken});
const wanted = {id: 'c-1', type: 'web_hook', address, token: 'k=9f2c'};
const {data: opened} = await events.watch({calendarId, requestBody: wanted});
const taken = await refused(events.watch({calendarId, requestBody: wanted}));
await events.patch({calendarId, eventId, requestBody: {location: 'Room 3'}});
const stopped = (await channels.stop({requestBody: {id: opened.id, resourceId: opened.resourceId}})).status;

console.log(
  JSON.stringify({
    listed: first.found.map(event => event.summary),
    patched: [patched.location, patched.etag !== etag],
    stale,
    again,
    changed: second.found.map(event => [event.id === eventId ? 'one' : 'two', event.status]),
    quiet: third.found,
    watched: [opened.kind, opened.token, Number(opened.expiration) > Date.now(), taken, stopped],
    nonsense: await refused(events.list({calendarId, syncToken: 'nonsense'})),
    calendars: (await calendarList.list()).data.items.map(entry => entry.summary),
  })
);
