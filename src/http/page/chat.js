// The chat page: sends a message, shows each verified segment as it comes. Text only ever becomes text nodes.
"use strict";

const $ = (id) => document.getElementById(id);
const log = $("log"), talk = $("talk"), status = $("status"), form = $("form"), field = $("message");
const store = (place, name, value) => {
  try {
    if (value === undefined) return place().getItem(name);
    value === null ? place().removeItem(name) : place().setItem(name, value);
  } catch { /* Storage may be off: the page then forgets on reload. */ }
  return null;
};
const forNow = (name, value) => store(() => sessionStorage, `truetill.${name}`, value);
const forLong = (name, value) => store(() => localStorage, `truetill.${name}`, value);

// The shop's site opens this page with the customer's token behind #token=: that part of an address is sent to no server.
const handed = new URLSearchParams(location.hash.slice(1)).get("token");
if (handed) {
  forNow("token", handed);
  history.replaceState(null, "", location.pathname + location.search);
}

let ui = {}, words = {}, language = "en", running = null, waiting = null;

function make(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

function speak(code) {
  language = code;
  words = ui[code];
  document.documentElement.lang = code === "zh" ? "zh-Hans" : code;
  document.title = words.title;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words[node.dataset.text];
  field.placeholder = words.placeholder;
  for (const [id, key] of [["fresh", "fresh"], ["send", "send"], ["stop", "stop"]]) $(id).title = words[key];
  $("language").value = code;
  if (!log.querySelector(".mine")) welcome();
}

function welcome() {
  log.replaceChildren();
  const said = reply();
  said.append(make("p", "", words.greeting));
  const ideas = make("div", "ideas");
  ideas.append(make("span", "", words.ideas));
  for (const idea of ["idea_price", "idea_delivery", "idea_return"]) {
    const button = make("button", "", words[idea]);
    button.type = "button";
    button.addEventListener("click", () => send(words[idea]));
    ideas.append(button);
  }
  said.append(ideas);
}

function reply() {
  const item = make("li", "said theirs");
  item.append(make("span", "hidden", `${words.assistant}:`));
  log.append(item);
  return item;
}

function scroll() {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  talk.scrollTo({ top: talk.scrollHeight, behavior: calm ? "auto" : "smooth" });
}

// A product line reads as name and price side by side; anything else stays as it is.
const PAIR = { p: /^(.+?)(?: [—–] |：)([^\n]*\d[^\n]*)$/, li: /^(.+?)(?: [—–] |：|: )([^\n]*\d[^\n]*)$/ };
// What follows the price: an old price, in brackets or after a comma that is not a decimal one.
const PRICE = /^(.{1,32}?)((?:, |，| ?[(（]).{1,40})?$/;

function line(tag, text) {
  const node = make(tag);
  const pair = PAIR[tag].exec(text);
  const price = pair && PRICE.exec(pair[2].replace(/[.。]$/, ""));
  if (!price || /[.。] ?\D/.test(price[0].slice(0, -1))) {
    node.textContent = text;
    return node;
  }
  node.className = "pair";
  const value = make("strong", "", price[1]);
  if (price[2]) value.append(make("span", "aside", price[2]));
  node.append(make("span", "", pair[1]), " ", value);
  return node;
}

const PRICED = new Set(["offer", "alternatives"]);

function segment(said, part) {
  for (const text of part.text.split("\n")) {
    if (text.startsWith("• ")) {
      let list = said.lastElementChild;
      if (list.tagName !== "UL") said.append((list = make("ul")));
      list.append(line("li", text.slice(2)));
    } else if (text.trim()) {
      const node = PRICED.has(part.kind) ? line("p", text) : make("p", "", text);
      if (part.kind === "policy") node.classList.add("policy");
      said.append(node);
    }
  }
  scroll();
}

function finish(said, done) {
  forNow("session", done.session_id);
  const unnamed = done.reply.citations.filter((cite) => !done.reply.text.includes(cite.section));
  if (unnamed.length) {
    const cites = make("div", "cites", `${words.source}: `);
    for (const cite of unnamed) cites.append(make("span", "", `${cite.section} · ${cite.version}`));
    said.append(cites);
  }
  const doings = make("div", "doings");
  for (const action of done.reply.actions) {
    if (action.type !== "show_product" || !action.url || !/^(https?:\/\/|\/)/.test(action.url)) continue;
    const link = make("a", "", `${words.view}: ${action.sku}`);
    link.href = action.url;
    link.rel = "noopener";
    doings.append(link);
  }
  if (doings.childElementCount) said.append(doings);
  $("attach").hidden = !done.reply.actions.some((action) => action.type === "attach_photo");
}

function note(text, buttons = [], bad = false) {
  const item = make("li", bad ? "note bad" : "note");
  item.append(make("p", "", text));
  if (buttons.length) {
    const doings = make("div", "doings");
    for (const [label, act] of buttons) {
      const button = make("button", "", label);
      button.type = "button";
      button.addEventListener("click", () => { item.remove(); act(); });
      doings.append(button);
    }
    item.append(doings);
  }
  log.append(item);
  scroll();
}

function failed(problem, message) {
  const again = [words.retry, () => ask(message)];
  const person = [words.person, () => send(words.person_message)];
  if (problem.code?.startsWith("token_")) {
    // Whoever was known is known no more: the conversation stays theirs, and this one begins anew for nobody.
    forNow("token", null);
    forNow("session", null);
    return note(words.lost, [again]);
  }
  switch (problem.code) {
    case "unauthorized":
      waiting = message;
      $("key-form").hidden = false;
      form.hidden = true;
      $("key").focus();
      return;
    case "unknown_session":
      forNow("session", null);
      return note(words.lost, [again]);
    case "busy": return note(words.busy, [again], true);
    case "message_too_long":
    case "body_too_large": return note(words.too_long, [], true);
    default: return note(words.failed, message.text === words.person_message ? [again] : [again, person], true);
  }
}

function state(text) {
  status.textContent = text;
  status.classList.toggle("busy", Boolean(text));
  if (text) scroll();
}

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function send(text) {
  text = text.trim();
  if (!text || running) return;
  log.querySelector(".ideas")?.remove();
  const item = make("li", "said mine");
  item.append(make("span", "hidden", `${words.you}: `), make("p", "", text));
  log.append(item);
  ask({ text, key: freshKey() });
}

async function ask(message) {
  if (running) return;
  running = new AbortController();
  $("send").hidden = true;
  $("stop").hidden = false;
  state(words.screening);
  let said = null, over = false;
  const hear = (event, data) => {
    if (event === "status") state(words[data.stage] ?? "");
    if (event === "segment") segment((said ??= reply()), data);
    if (event === "handover") note(words.handover);
    if (event === "done") finish((said ??= reply()), data);
    if (event === "error") failed(data, message);
    over ||= event === "done" || event === "error";
  };
  try {
    await post(message, hear);
    if (!over) failed({ code: "cut" }, message);
  } catch (error) {
    if (error.name !== "AbortError") failed({ code: "cut" }, message);
  }
  running = null;
  state("");
  $("send").hidden = false;
  $("stop").hidden = true;
  scroll();
}

function proofs() {
  const headers = {}, key = forNow("key"), token = forNow("token");
  if (key) headers.authorization = `Bearer ${key}`;
  if (token) headers["x-customer-token"] = token;
  return headers;
}

// The picture goes ahead of the message that says so: the reply to that goes on with it.
async function attach(photo) {
  const path = `/api/v1/sessions/${encodeURIComponent(forNow("session"))}/photos`;
  const headers = { ...proofs(), "content-type": photo.type || "application/octet-stream" };
  const response = await fetch(path, { method: "POST", headers, body: photo }).catch(() => null);
  if (!response?.ok) return note(words.photo_bad, [], true);
  $("attach").hidden = true;
  send(words.photo_sent);
}

async function post(message, hear) {
  const headers = {
    ...proofs(), "content-type": "application/json", accept: "text/event-stream", "idempotency-key": message.key,
  };
  const body = { message: message.text, locale: language, channel: "web" };
  const session = forNow("session");
  if (session) body.session_id = session;
  const response = await fetch("/api/v1/chat", { method: "POST", headers, body: JSON.stringify(body), signal: running.signal });
  if (!response.ok) return hear("error", await response.json().catch(() => ({ code: "cut" })));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = /^event: ?(.*)$/m.exec(block), data = /^data: ?(.*)$/m.exec(block);
      if (event && data) hear(event[1], JSON.parse(data[1]));
    }
  }
}

function grow() {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 144)}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) return;
  const text = field.value;
  field.value = "";
  grow();
  send(text);
  field.focus();
});
field.addEventListener("keydown", (event) => {
  // While a word is being composed (Chinese input), Enter belongs to the composition.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
field.addEventListener("input", grow);
$("stop").addEventListener("click", () => { running?.abort(); field.focus(); });
$("person").addEventListener("click", () => send(words.person_message));
$("attach").addEventListener("click", () => $("photo").click());
$("photo").addEventListener("change", (event) => {
  const [photo] = event.target.files;
  // The same picture may be chosen again.
  event.target.value = "";
  if (photo && !running) attach(photo);
});
$("fresh").addEventListener("click", () => {
  running?.abort();
  forNow("session", null);
  $("attach").hidden = true;
  welcome();
  field.focus();
});
$("language").addEventListener("change", (event) => {
  forLong("language", event.target.value);
  speak(event.target.value);
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  forNow("key", $("key").value.trim());
  $("key").value = "";
  $("key-form").hidden = true;
  form.hidden = false;
  field.focus();
  if (waiting) ask(waiting);
  waiting = null;
});

(async () => {
  ui = await (await fetch("/assets/ui.json")).json();
  for (const code of ["sk", "ru", "zh", "en"]) {
    const option = make("option", "", ui[code].language);
    option.value = code;
    option.lang = code;
    $("language").append(option);
  }
  const wanted = [new URLSearchParams(location.search).get("lang"), forLong("language"), ...navigator.languages];
  const known = wanted.map((one) => (one ?? "").slice(0, 2).toLowerCase()).find((one) => ui[one]);
  speak(known ?? "en");
  field.focus();
})();
