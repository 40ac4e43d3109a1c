// The page: puts the room and what is seen of it together.
//
// `room.js` knows what happened and has no DOM; `log.js` shows it; `composer.js` is where one
// writes. What has changed is gathered here and drawn once a frame.

import { Attention } from "./attention.js";
import { Composer } from "./composer.js";
import { deeds } from "./deeds.js";
import { byId } from "./dom.js";
import { oncePerFrame } from "./frames.js";
import { Login } from "./login.js";
import { Log } from "./log.js";
import { keep, kept, leaveToken, takeToken } from "./memory.js";
import { mentionOf } from "./names.js";
import { Naming } from "./naming.js";
import { isSpeech } from "./order.js";
import { Panels } from "./panels.js";
import { Pending } from "./pending.js";
import { PeopleList } from "./people-list.js";
import { Quiet } from "./quiet.js";
import { Room } from "./room.js";
import { makeRow } from "./row.js";
import { Search } from "./search.js";
import { Status } from "./status.js";

/** @typedef {import("./order.js").Item} Item */

const NICK = "chatroom.nick";
const WIDE = matchMedia("(min-width: 60rem)");

/** A page that gets no time to draw, as hidden ones, does not gather more than this. */
const MOST_FRESH = 5000;

/** `#nick=bob`, `#listen`, or both with `&`. */
const wishes = () => new URLSearchParams(location.hash.slice(1));

const address = new URL("ws", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
address.hash = "";

/** @type {RegExp | null} */
let mention = null;

/** @type {Item[]} */
let fresh = [];

/** The line above what came while one looked elsewhere. @type {Item | null} */
let unread = null;
let unreadStands = false; // it is of this absence
let silent = true; // nothing has been said

/** A link's name is for this visit: any page can be a link here. */
const linked = wishes().get("nick");

const room = new Room(
  address.href,
  { nick: linked || kept(NICK), token: takeToken(), credentials: {} },
  {
    added(item, live) {
      fresh.push(item);
      if (live && isSpeech(item)) heard(item);
      if (fresh.length < MOST_FRESH) draw();
      else drawNow();
    },
    removed(item) {
      fresh = fresh.filter((one) => one !== item);
      log.remove(item);
    },
    redacted: (seq) => log.redact(seq),
    said: () => draw(),
    people: () => draw(),
    state: () => status.show(room.connection.state),
    entered,
    closed: (error) => login.ask(error),
  },
);

const log = new Log(
  {
    log: byId("log"),
    rows: byId("rows"),
    pending: byId("pending"),
    beginning: byId("beginning"),
    latest: byId("latest"),
  },
  room,
  (item) => makeRow(item, mention),
  new Quiet(byId("log")),
);
const pending = new Pending(byId("pending"));
const status = new Status(
  { state: byId("state"), phase: byId("phase"), detail: byId("detail"), retry: byId("retry") },
  () => room.connection.open(),
);
const attention = new Attention({ icon: byId("icon"), bell: byId("bell") }, { back, told: notice });
const composer = new Composer(
  { form: byId("composer"), input: byId("say"), hint: byId("hint") },
  {
    namesFor: (beginning) =>
      room.people.beginningWith(beginning).filter((nick) => nick !== room.nick),
    limitBytes: () => room.textLimitBytes,
    carryOut: (typed) => void carryOut(typed),
    scroll: (screens) => log.scroll(screens),
    latest: () => log.follow(),
  },
);
const write = () => composer.parts.input.focus();
const people = new PeopleList(
  {
    panel: byId("people"),
    list: byId("names"),
    counts: [byId("count"), byId("people-count")],
    note: byId("unannounced"),
    more: byId("more-people"),
  },
  room,
  (nick) => {
    if (!WIDE.matches) panels.close(byId("people"));
    composer.call(nick);
  },
);
const search = new Search(
  {
    form: byId("find"),
    input: byId("words"),
    found: byId("found"),
    note: byId("found-note"),
    more: byId("more-found"),
  },
  room,
  (seq) => {
    if (!WIDE.matches) panels.close(byId("search"));
    log.goTo(seq).catch((error) => notice(error.message));
  },
);
const panels = new Panels(
  [
    { panel: byId("people"), button: byId("show-people"), opened: () => people.show() },
    {
      panel: byId("search"),
      button: byId("show-search"),
      opened: () => search.parts.input.focus(),
    },
  ],
  write,
);
new Naming(
  {
    button: byId("nick"),
    name: byId("own-nick"),
    form: byId("rename"),
    input: byId("new-nick"),
    problem: byId("nick-problem"),
  },
  room,
  write,
);

const login = new Login(
  {
    form: byId("login"),
    account: byId("account"),
    password: byId("password"),
    why: byId("login-why"),
  },
  (credentials) => {
    room.wishes.credentials = credentials;
    room.connection.open();
  },
);

function drawNow() {
  const items = fresh;
  fresh = [];
  // One's own words first: a row takes the place of the one that was on its way.
  pending.show(room.statements.said, room.nick);
  log.show(items);
  people.show();
  attention.show(room.name || "Chatroom");
  silent &&= !items.some(isSpeech) && !room.statements.said.length;
  byId("empty").hidden = !silent || !room.live;
}

const draw = oncePerFrame(drawNow);

function entered() {
  login.done();
  mention = mentionOf(room.nick);
  byId("room").textContent = room.name;
  byId("topic").textContent = byId("topic").title = room.topic;
  byId("own-nick").textContent = room.nick;
  byId("nick").setAttribute("aria-label", `You are ${room.nick}: change your name`);
  if (room.wishes.nick === room.nick && room.nick !== linked) keep(NICK, room.nick);
  draw();
}

/** @param {Item} item */
function heard(item) {
  if (attention.away && !unreadStands) {
    if (unread) room.chronicle.takeBack(unread);
    const { epoch, seq, time } = item;
    unread = room.chronicle.tell({ kind: "unread", epoch, seq, sub: -1, time });
    unreadStands = true;
  }
  attention.heard(item, mention !== null && item.text.search(mention) >= 0);
}

/** One looks at the page again. */
function back() {
  unreadStands = false;
  draw();
}

/** @param {string} text */
function notice(text) {
  room.chronicle.tell({ kind: "notice", text });
}

const carryOut = deeds({
  room,
  notice,
  said: () => log.follow(),
  goTo: (seq) => log.goTo(seq),
  find(text) {
    panels.open(byId("search"));
    search.find(text);
  },
});

byId("rows").addEventListener("click", (event) => {
  const { action } = event.target.dataset;
  const item = action && log.rows.of(event.target)?.item;
  if (!item) return;
  room.chronicle.takeBack(item);
  write();
  if (action === "again")
    composer.edit(item.by === "action" ? `/me ${item.text}` : said(item.text));
});

/**
 * What one types to say a text.
 * @param {string} text
 */
const said = (text) => (text.startsWith("/") ? `/${text}` : text);

function listen() {
  const only = wishes().has("listen");
  document.body.classList.toggle("listens", only);
  byId("composer").hidden = only;
  byId("listening").hidden = !only;
  if (!only) write();
}

// Who begins to type means to write, wherever the focus is.
addEventListener("keydown", ({ key, ctrlKey, altKey, metaKey }) => {
  const elsewhere = !document.activeElement?.matches("input, textarea");
  if (key.length === 1 && key !== " " && elsewhere && !ctrlKey && !altKey && !metaKey) write();
});

addEventListener("hashchange", () => {
  listen();
  const nick = wishes().get("nick");
  if (nick && nick !== room.nick) room.rename(nick).catch((error) => notice(error.message));
});
addEventListener("pagehide", () => leaveToken(room.wishes.token));

if (WIDE.matches) panels.open(byId("people"));
listen();
room.connection.open();
