// The room, and being in it: who is here, what one says and asks, and what comes of it. No DOM.

import { Chronicle } from "./chronicle.js";
import { Comeback } from "./comeback.js";
import { Connection } from "./connection.js";
import { isSpeech } from "./order.js";
import { People } from "./people.js";
import { Questions, Refused } from "./questions.js";
import { Statements } from "./statements.js";
import { makeSafe } from "./text.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {import("./chronicle.js").Reader & {said: () => void, people: () => void,
 *   state: () => void, entered: () => void, closed: (error: any) => void}} Watcher
 *   Told of what has changed. `said`: `statements`; `state`: `connection.state`; `entered`: after
 *   each welcome, and when one's nick or the topic has changed; `closed`: the room asks who one is.
 */

/** Of the history, at the start. */
const FIRST_PAGE = 100;

/** Codes of a room that wants to know who comes in. */
const CLOSED = new Set(["login_needed", "login_failed", "not_encrypted"]);

/** Codes with which a nick is refused, so that one comes in as a guest. */
const NICK_REFUSED = new Set(["nick_taken", "nick_invalid"]);

export class Room {
  name = "";
  nick = "";
  topic = "";
  textLimitBytes = 1024;
  people = new People();
  statements = new Statements();

  #enteredAt = 0; // the welcome's seq: who came and went up to there is in its list of members
  #ready = false; // what was missed is here: what is said now cannot be mixed up with it
  #refused = ""; // why one's nick could not be had, until one is inside and is told
  #isRefused = false; // on this connection
  #again = false; // one goes only to come back at once

  /**
   * Who waits for a rename, by the id of its statement.
   * @type {Map<string, {resolve: () => void, reject: (error: Refused) => void}>}
   */
  #renaming = new Map();

  /**
   * @param {string} url of the WebSocket
   * @param {{nick: string, token: string, credentials: object}} wishes an empty nick: a guest's;
   *   `credentials`: the part of a hello that logs in. Kept up to date: with them one comes back as
   *   who one is
   * @param {Watcher} watcher
   */
  constructor(url, wishes, watcher) {
    this.wishes = wishes;
    this.comeback = new Comeback(wishes);
    this.watcher = watcher;
    this.chronicle = new Chronicle(watcher);
    this.connection = new Connection(url, {
      hello: () => this.#hello(),
      received: (objects) => objects.forEach((object) => this.#received(object)),
      answered: () => this.#settle(),
      lost: () => this.#lost(),
      changed: () => this.#changed(),
    });
    this.questions = new Questions((request) => this.connection.send(request));
  }

  get live() {
    return this.connection.state.phase === "live";
  }

  // What one says and asks

  /**
   * @param {"message" | "action"} kind
   * @param {string} text
   */
  say(kind, text) {
    this.statements.add(kind, makeSafe(text));
    this.#send();
  }

  /**
   * Take another name. Rejects with a `Refused` if it cannot be had. If the connection breaks before
   * the answer, and the room has heard of it, one comes back under the new name.
   * @param {string} nick
   * @returns {Promise<void>}
   */
  rename(nick) {
    return new Promise((resolve, reject) => {
      if (!this.live) {
        reject(new Refused("offline", "not connected to the room"));
        return;
      }
      this.#renaming.set(this.statements.add("rename", nick).id, { resolve, reject });
      this.#send();
    });
  }

  /**
   * Say what the room is about. Rejects with a `Refused`.
   * @param {string} text empty: nothing any more
   */
  async setTopic(text) {
    const safe = makeSafe(text);
    const ack = await this.questions.ask({ kind: "topic", text: safe });
    this.#did({ kind: "topic", seq: ack.seq, nick: this.nick, text: safe });
  }

  /**
   * A page of the history, or of what a search finds, oldest first. Rejects with a `Refused`.
   * @param {{kind?: string, before?: number, after?: number, limit: number, text?: string}} request
   * @returns {Promise<{items: Item[], more: boolean}>}
   */
  async history(request) {
    const { events, more } = await this.questions.ask({ kind: "history", ...request });
    return { items: events.map((event) => this.chronicle.placed(event)), more };
  }

  /**
   * A page of the names of who is here; `people` has them then. Rejects with a `Refused`.
   * @param {number} offset
   */
  async who(offset, limit = 200) {
    const page = await this.questions.ask({ kind: "who", offset, limit });
    this.people.page(page, offset);
    this.watcher.people();
    return page;
  }

  /** The round trip in milliseconds. Rejects with a `Refused`. */
  async ping() {
    const asked = performance.now();
    await this.questions.ask({ kind: "ping" });
    return performance.now() - asked;
  }

  #send() {
    if (this.#ready) {
      const { newest } = this.chronicle.resume;
      for (const { kind, text, id } of this.statements.take(newest)) {
        this.connection.send({ kind, [kind === "rename" ? "to" : "text"]: text, id });
      }
    }
    this.watcher.said();
  }

  // Coming and going

  #hello() {
    const { nick, token, credentials } = this.wishes;
    const resume = this.chronicle.resume.hello(this.statements.lowestDoubtful);
    return { ...(nick && { nick }), ...(token && { token }), ...credentials, ...resume };
  }

  /** @param {any} welcome */
  #welcomed(welcome) {
    if (this.chronicle.welcomed(welcome)) this.statements.forgetNumbers();
    this.#enteredAt = welcome.seq;
    this.name = welcome.room;
    this.nick = welcome.nick;
    this.wishes.token = welcome.token;
    this.comeback.entered();
    this.topic = welcome.topic ?? "";
    this.textLimitBytes = welcome.limits?.text ?? this.textLimitBytes;
    this.people.reset(welcome.members, welcome.member_count);
    if (this.#refused) this.#notice(`${this.#refused}: you are ${this.nick}`);
    this.#refused = "";
    this.watcher.people();
    this.watcher.entered();
    this.chronicle.begin(welcome.seq, (before) => this.history({ before, limit: FIRST_PAGE }));
    if (this.people.known < this.people.count) this.who(0).catch(() => {});
  }

  /** What was missed is here: what was in doubt is clear now, and what waits can be said. */
  #settle() {
    const { unknown, nick } = this.statements.settle(this.chronicle.resume.whole);
    const why = { code: "unknown", text: "the connection broke: not known whether it was heard" };
    for (const statement of unknown) this.#unsaid(statement, why);
    if (nick && nick !== this.nick) {
      this.comeback.claim(nick);
      this.#again = true;
      this.connection.drop();
      return;
    }
    this.comeback.settled();
    this.#ready = true;
    this.#send();
  }

  /** Whether to come again at once: as somebody else, if it was the name that was refused. */
  #lost() {
    this.questions.disconnected();
    this.statements.disconnected(this.nick);
    if (this.live) this.comeback.broke(this.statements.doubtfulName);
    this.#ready = false;
    this.watcher.said();
    const again = this.#again || (this.#isRefused && this.comeback.refused());
    this.#again = this.#isRefused = false;
    return again;
  }

  /** How it stands with the connection is another thing now. */
  #changed() {
    if (this.connection.state.phase === "gone") {
      const why = { code: "offline", text: "not connected to the room" };
      for (const id of [...this.#renaming.keys()]) {
        const statement = this.statements.withdraw(id);
        if (statement) this.#unsaid(statement, why);
      }
    }
    this.watcher.state();
  }

  // What comes

  /** @param {any} object */
  #received(object) {
    if (this.questions.answered(object)) return;
    switch (object.kind) {
      case "welcome":
        this.#welcomed(object);
        break;
      case "ack":
        this.#acked(object);
        break;
      case "error":
        this.#refuse(object);
        break;
      case "presence":
        this.#presence(object);
        break;
      case "slowed":
        this.#notice(slowedText(object));
        break;
      case "gap":
        this.chronicle.gap(object);
        break;
      default:
        if (Number.isInteger(object.seq)) this.#event(object);
    }
  }

  /** @param {any} event */
  #event(event) {
    const item = this.chronicle.placed(event);
    const statement = this.statements.lookUp(item);
    if (statement) {
      item.mine = true;
      this.#renamed(statement);
      this.watcher.said();
    }
    const isNew = this.chronicle.arrived(item);
    if (!this.chronicle.add(item, isNew && !item.mine && item.nick !== this.nick)) return;
    const isKnown = item.seq <= this.#enteredAt && !isSpeech(item) && item.kind !== "redaction";
    if (!isKnown) this.#happened(item);
  }

  /**
   * What an event that is new here changes.
   * @param {Item} item
   */
  #happened(item) {
    if (item.kind === "redaction") {
      this.chronicle.redact(item.of);
    } else if (item.kind === "topic") {
      this.topic = item.text ?? "";
      this.watcher.entered();
    } else {
      this.people.happened(item);
      this.watcher.people();
    }
  }

  /** @param {any} ack */
  #acked(ack) {
    const statement = this.statements.acked(ack.id, ack.seq);
    if (!statement) return;
    const { kind, text } = statement;
    // Acks come in the order of the statements, so whatever this one is, it was said as `nick`.
    const fields = { kind, seq: ack.seq, nick: this.nick };
    if (kind === "rename") {
      this.#did({ ...fields, to: ack.nick ?? text });
      this.#renamed(statement);
      this.#isCalled(ack.nick ?? text);
    } else {
      this.#did({ ...fields, text });
    }
    this.watcher.said();
  }

  /** @param {string} nick one's own from now on */
  #isCalled(nick) {
    this.nick = this.wishes.nick = nick;
    this.watcher.entered();
  }

  /**
   * The room has heard a statement: if it is a rename, somebody waits for that.
   * @param {import("./statements.js").Statement} statement
   */
  #renamed({ id }) {
    this.#renaming.get(id)?.resolve();
    this.#renaming.delete(id);
  }

  /**
   * A statement is not in the room, or nobody knows.
   * @param {import("./statements.js").Statement} statement
   * @param {{code: string, text: string}} why
   */
  #unsaid({ id, kind, text }, why) {
    if (kind === "rename") {
      this.#renaming.get(id)?.reject(new Refused(why.code, why.text));
      this.#renaming.delete(id);
    } else {
      const fields = { by: kind, nick: this.nick, text, code: why.code, reason: why.text };
      this.chronicle.tell({ kind: "refused", ...fields });
    }
  }

  /**
   * One's own events do not come back: they are made here.
   * @param {any} event
   */
  #did(event) {
    const item = this.chronicle.placed({ ...event, time: new Date().toISOString(), mine: true });
    this.chronicle.add(item);
    this.#happened(item);
  }

  /** @param {any} error */
  #refuse(error) {
    const statement = this.statements.withdraw(error.id);
    if (statement) {
      const { kind, text: to } = statement;
      if (kind === "rename" && error.code === "not_stored") {
        this.people.happened({ kind, nick: this.nick, to });
        this.watcher.people();
        this.#isCalled(to); // everybody has heard of it all the same
      }
      this.#unsaid(statement, error);
      this.watcher.said();
    } else if (this.live) {
      this.#notice(error.text);
    } else if (CLOSED.has(error.code)) {
      this.wishes.credentials = {};
      this.watcher.closed(error);
    } else if (NICK_REFUSED.has(error.code)) {
      this.#refused = error.text;
      this.#isRefused = true;
    }
  }

  /** @param {string} text */
  #notice(text) {
    this.chronicle.tell({ kind: "notice", text });
  }

  /** @param {any} presence */
  #presence(presence) {
    const before = this.people.announced;
    this.people.announced = presence.announced;
    this.people.count = presence.member_count;
    this.watcher.people();
    // Who came and went meanwhile is not known.
    if (presence.announced && !before) this.who(0).catch(() => {});
  }
}

/** @param {{rate: number, of?: string}} slowed */
function slowedText({ rate, of = "messages" }) {
  if (of === "room") return `you are slowed down: the room takes ${rate} messages a second of all`;
  const pace = rate < 1 ? `one of your ${of} in ${1 / rate} seconds` : `${rate} ${of} a second`;
  return `you are slowed down to ${pace}; nothing is lost`;
}
