// The explorer: sends operations as whoever opened the page, follows subscriptions, shows the schema.
"use strict";

const PATH = "/api/system/graphql/query";
const KEPT_ANSWERS = 200;
const EXAMPLES = [
  { name: "My designs", query: "query Designs($size: Int! = 10) {\n  designs(pageSize: $size) {\n    totalCount\n" +
      "    designs { id name version visibility updatedAt }\n  }\n}", variables: { size: 10 } },
  { name: "Clusters", query: "query Clusters {\n  kubernetesContexts {\n    contexts { name server version reachable }" +
      "\n  }\n}" },
  { name: "What the clusters hold", query: "query Holdings {\n  resourceSummary {\n    totalCount\n    namespaces\n" +
      "    kinds { kind count }\n  }\n}" },
  { name: "Events as they happen", query: "subscription Events {\n  events {\n    sequence\n    resync\n" +
      "    event { exactSeverity category action description createdAt }\n  }\n}" },
  { name: "Objects as they change", query: "subscription Changes($kinds: [String!]! = []) {\n" +
      "  resourceChanges(kinds: $kinds) {\n    sequence\n    resync\n    changes { change kind namespace name }\n" +
      "  }\n}", variables: { kinds: ["Pod"] } },
];
const INTROSPECTION = `query Schema { __schema { types { kind name description
  fields { name description args { name type { ...T } } type { ...T } }
  inputFields { name description type { ...T } } enumValues { name description } } } }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

const at = (id) => document.getElementById(id);
let socket = null;
let running = 0;

function say(text) { at("state").textContent = text; }

function show(value, append) {
  const text = JSON.stringify(value, null, 2);
  const box = at("answer");
  if (!append) { box.textContent = text; return; }
  const line = document.createElement("div");
  line.textContent = text;
  box.append(line);
  while (box.childNodes.length > KEPT_ANSWERS) box.firstChild.remove();
  box.scrollTop = box.scrollHeight;
}

function operation() {
  const text = at("variables").value.trim();
  return { query: at("query").value, variables: text ? JSON.parse(text) : {} };
}

function stop(text) {
  running += 1;
  if (socket) { socket.close(1000); socket = null; }
  at("stop").disabled = true;
  if (text) say(text);
}

async function run() {
  stop();
  let sent;
  try { sent = operation(); } catch (error) { say("The variables are no valid JSON: " + error.message); return; }
  at("answer").textContent = "";
  if (/^\s*subscription\b/m.test(sent.query)) follow(sent);
  else await ask(sent);
}

async function ask(sent) {
  const mine = running;
  const started = performance.now();
  say("Waiting for the answer …");
  try {
    const response = await post(sent);
    const answer = await response.json();
    if (mine !== running) return;
    show(answer, false);
    const took = Math.round(performance.now() - started);
    say((answer.errors || !response.ok ? "Answered with errors" : "Answered") + " in " + took + " ms.");
  } catch (error) { say("No answer: " + error.message); }
}

async function post(sent) {
  const once = () => fetch(PATH, { method: "POST", body: JSON.stringify(sent),
    headers: { "Content-Type": "application/json" } });
  const response = await once();
  // A cookie of another server on this host is dropped with the refusal that it causes.
  return response.status === 401 ? once() : response;
}

function follow(sent) {
  const mine = running;
  let count = 0;
  socket = new WebSocket(location.origin.replace(/^http/, "ws") + PATH, "graphql-transport-ws");
  at("stop").disabled = false;
  say("Connecting …");
  socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init" }));
  socket.onmessage = (message) => {
    if (mine !== running) return;
    const told = JSON.parse(message.data);
    if (told.type === "connection_ack") {
      socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: sent }));
      say("Following; nothing has come yet.");
    } else if (told.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
    else if (told.type === "next") { show(told.payload, true); say("Following; " + (count += 1) + " came."); }
    else if (told.type === "error") { show({ errors: told.payload }, true); stop("Refused."); }
    else if (told.type === "complete") stop("Completed after " + count + ".");
  };
  socket.onclose = (closed) => {
    if (mine === running) stop("Closed: " + (closed.reason || "code " + closed.code) + ".");
  };
}

function typeText(type) {
  if (type.kind === "NON_NULL") return typeText(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + typeText(type.ofType) + "]";
  return type.name;
}

function described(element, description) {
  if (!description) return;
  const line = document.createElement("p");
  line.textContent = description;
  element.append(line);
}

function typeEntry(type) {
  const entry = document.createElement("details");
  entry.dataset.name = type.name.toLowerCase();
  const title = document.createElement("summary");
  title.textContent = type.name;
  entry.append(title);
  described(entry, type.description);
  const list = document.createElement("ul");
  for (const one of type.fields || type.inputFields || type.enumValues || []) {
    const row = document.createElement("li");
    const code = document.createElement("code");
    const args = (one.args || []).map((arg) => arg.name + ": " + typeText(arg.type)).join(", ");
    code.textContent = one.name + (args ? "(" + args + ")" : "") + (one.type ? ": " + typeText(one.type) : "");
    row.append(code);
    described(row, one.description);
    row.dataset.name = one.name.toLowerCase();
    list.append(row);
  }
  if (list.childNodes.length) entry.append(list);
  return entry;
}

async function describe() {
  const response = await post({ query: INTROSPECTION });
  const answer = await response.json();
  if (!answer.data) { at("docs").textContent = "The schema cannot be read: " + (answer.error || "see the answer"); return; }
  const first = ["Query", "Mutation", "Subscription"];
  const rank = (type) => (first.indexOf(type.name) + first.length + 1) % (first.length + 1);
  const types = answer.data.__schema.types.filter((type) => !type.name.startsWith("__"));
  types.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  at("docs").replaceChildren(...types.map(typeEntry));
}

function search() {
  const wanted = at("search").value.trim().toLowerCase();
  for (const entry of at("docs").children) {
    let inside = false;
    const named = entry.dataset.name.includes(wanted);
    for (const row of entry.querySelectorAll("li")) {
      const found = row.dataset.name.includes(wanted);
      row.hidden = Boolean(wanted) && !found && !named;
      inside = inside || found;
    }
    entry.hidden = Boolean(wanted) && !named && !inside;
    entry.open = Boolean(wanted) && inside && wanted.length > 2;
  }
}

function choose() {
  const example = EXAMPLES[at("examples").selectedIndex];
  at("query").value = example.query;
  at("variables").value = JSON.stringify(example.variables || {}, null, 2);
}

for (const example of EXAMPLES) at("examples").append(new Option(example.name));
choose();
at("examples").addEventListener("change", choose);
at("run").addEventListener("click", run);
at("stop").addEventListener("click", () => stop("Stopped."));
at("search").addEventListener("input", search);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); run(); }
});
describe().catch((error) => { at("docs").textContent = "The schema cannot be read: " + error.message; });
