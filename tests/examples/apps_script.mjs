// Runs Code.gs with Google's objects replaced by small ones. Reads {code, properties, calls: [[function, argument]]} on
// stdin; prints what each call gave, the triggers that were made, and what was logged.
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import vm from 'node:vm';

const {code, properties, user, calls} = JSON.parse(readFileSync(0, 'utf8'));
const triggers = [];
const logged = [];

// UrlFetchApp waits for its answer; so another process fetches, and this one waits for that.
const FETCH = `
const {url, options} = JSON.parse(require('fs').readFileSync(0, 'utf8'));
fetch(url, options).then(async (answer) => console.log(JSON.stringify([answer.status, await answer.text()])));
`;

function fetchNow(url, options) {
  const headers = {...options.headers, ...(options.contentType ? {'Content-Type': options.contentType} : {})};
  const sent = JSON.stringify({url, options: {method: options.method.toUpperCase(), headers, body: options.payload}});
  const ran = spawnSync(process.execPath, ['-e', FETCH], {input: sent, encoding: 'utf8'});
  if (ran.status !== 0) {
    throw new Error(`no answer: ${ran.stderr}`);
  }
  const [status, text] = JSON.parse(ran.stdout);
  if (status >= 400 && !options.muteHttpExceptions) {
    throw new Error(`Request failed: ${status}`);
  }
  return {getResponseCode: () => status, getContentText: () => text};
}

// Notes what setters and adders were given, under their names.
function builder() {
  const made = {};
  const proxy = new Proxy({}, {
    get: (_, name) => name === 'build' ? () => made : name === 'toJSON' ? () => made : (value) => {
      made[name.replace(/^(set|add)/, '')] = value;
      return proxy;
    },
  });
  return proxy;
}

const google = {
  console: {error: (text) => logged.push(text)},
  ConferenceDataService: {
    EntryPointType: {VIDEO: 'VIDEO'},
    newEntryPoint: builder,
    newConferenceDataBuilder: builder,
  },
  PropertiesService: {getScriptProperties: () => ({getProperty: (name) => properties[name] ?? null})},
  ScriptApp: {
    getProjectTriggers: () => triggers.map(([name, source]) => ({
      getHandlerFunction: () => name,
      getTriggerSourceId: () => source,
    })),
    newTrigger: (name) => ({
      forUserCalendar: (source) => ({onEventUpdated: () => ({create: () => triggers.push([name, source])})}),
    }),
  },
  Session: {getEffectiveUser: () => ({getEmail: () => user})},
  UrlFetchApp: {fetch: fetchNow},
  Utilities: {sleep: () => {}},
};

const context = vm.createContext(google);
vm.runInContext(code, context);
const given = calls.map(([name, argument]) => context[name](argument) ?? null);
console.log(JSON.stringify({given, triggers, logged}));
