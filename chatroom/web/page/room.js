// The room as this page knows it: what happened, who is here, what is being said. No DOM.

import { Connection } from "./connection.js";
import { isSpeech } from "./order.js";
import { People } from "./people.js";
import { Questions } from "./questions.js";
import { Resume } from "./resume.js";
import { Statements } from "./statements.js";
import { Tail } from "./tail.js";
import { makeSafe } from "./text.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {{added: (item: Item, live: boolean) => void, removed: (item: Item) => void,
 *   said: () => void, people: () => void, state: () => void, entered: () => void}} Watcher
 *   Told of what has changed. `added`: into the tail; `live`: it happened just now, or while there
 *   was no connection. `said`: `statements`; `state`: `connection.state`; `entered`: after each
 *   welcome, and when one's nick has changed.
 */

/** Of the history, at the start. */
const FIRST_PAGE = 100;

/** Codes with which a nick is refused, so that one comes in as a guest. */
const NICK_REFUSED = new Set(["nick_taken", "nick_invalid"]);

export class Room {
  name = "";
  nick = "";
  textLimitBytes = 1024;
  tail = new Tail();
  people = new People();
  statements = new Statements();

  #resume = new Resume();
  #enteredAt = 0; // the welcome's seq: who came and went up to there is in its list of members
  #locals = 0;
  #begun = false; // the history at the start is here
  #ready = false; // what was missed is here: what is said now cannot be mixed up with it
  #refused = ""; // why one's nick could not be had

  /**
   * @param {string} url of the WebSocket
   * @param {{nick: string, token: string}} wishes an empty nick: a guest's
   * @param {Watcher} watcher
   */
  constructor(url, wishes, watcher) {
    this.wishes = wishes;
    this.watcher = watcher;
    this.connection = new Connection(url, {
      hello: () => this.#hello(),
      received: (objects) => objects.forEach((object) => this.#received(object)),
      answered: () => this.#settle(),
      lost: () => this.#lost(),
      changed: () => this.watcher.state(),
    });
    this.questions = new Questions((request) => this.connection.send(request));
  }

  get live() {
    return this.connection.state.phase === "live";
  }

  /** Proves that one's nick is one's own; see the protocol. */
  get token() {
    return this.wishes.token;
  }

  // What is asked of the room

  /**
   * @param {"message" | "action"} kind
   * @param {string} text
   */
  say(kind, text) {
    this.statements.add(kind, makeSafe(text));
    this.#send();
  }

  /**
   * Take another name; a `Refused` if it cannot be had.
   * @param {string} nick
   */
  async rename(nick) {
    const was = this.nick;
    const ack = await this.questions.ask({ kind: "rename", to: nick });
    this.nick = this.wishes.nick = ack.nick ?? nick;
    this.#own({ kind: "rename", seq: ack.seq, nick: was, to: this.nick });
    this.watcher.entered();
  }

  /**
   * A page of the history, or of what a search finds, oldest first.
   * @param {{kind?: string, before?: number, after?: number, limit: number, text?: string}} request
   * @returns {Promise<{items: Item[], more: boolean}>}
   */
  async history(request) {
    const { epoch } = this.#resume;
    const { events, more } = await this.questions.ask({ kind: "history", ...request });
    return { items: events.map((event) => placed(event, epoch)), more };
  }

  /** @param {number} offset */
  async who(offset, limit = 200) {
    const page = await this.questions.ask({ kind: "who", offset, limit });
    this.people.page(page, offset);
    this.watcher.people();
    return page;
  }

  /** The round trip in milliseconds. */
  async ping() {
    const asked = performance.now();
    await this.questions.ask({ kind: "ping" });
    return performance.now() - asked;
  }

  /**
   * Whether history before an item can be asked for: not of a log that the server has forgotten.
   * @param {Item} item
   */
  hasBefore(item) {
    return item.epoch === this.#resume.epoch;
  }

  // What this page says itself, between the events

  /**
   * @param {Partial<Item> & {kind: string}} fields
   * @returns {Item}
   */
  tell(fields) {
    const { epoch, seq } = this.tail.last ?? this.#place(this.#resume.newest);
    this.#locals += 1;
    /** @type {Item} */
    const item = { epoch, seq, sub: this.#locals, time: new Date().toISOString(), ...fields };
    if (this.tail.add(item)) this.watcher.added(item, false);
    return item;
  }

  /** @param {Item} item */
  takeBack(item) {
    this.tail.remove(item);
    this.watcher.removed(item);
  }

  // Coming in

  #hello() {
    const { nick, token } = this.wishes;
    const resume = this.#resume.hello(this.statements.lowestDoubtful);
    return { ...(nick && { nick }), ...(token && { token }), ...resume };
  }

  /** @param {any} welcome */
  #welcomed(welcome) {
    const { known } = this.#resume;
    const { isNew, forgotten, missed } = this.#resume.welcomed(welcome);
    if (!known) this.tail.floor = this.#place(welcome.seq);
    if (forgotten) {
      this.#begun = true; // the replay is all there is
      this.statements.forgetNumbers();
    }
    if (isNew) this.#divide({ kind: "session", code: forgotten ? "forgotten" : "" });
    if (missed) this.#divide({ kind: "missed", from: missed });
    this.#enteredAt = welcome.seq;
    this.name = welcome.room;
    this.nick = welcome.nick;
    this.wishes.token = welcome.token;
    this.textLimitBytes = welcome.limits?.text ?? this.textLimitBytes;
    this.people.reset(welcome.members, welcome.member_count);
    if (this.#refused) this.tell({ kind: "notice", text: `${this.#refused}: you are ${this.nick}` });
    this.#refused = "";
    this.watcher.people();
    this.watcher.entered();
    if (!this.#begun) this.#begin(welcome.seq);
    if (this.people.known < this.people.count) this.who(0).catch(() => {});
  }

  /** @param {Partial<Item> & {kind: string}} fields */
  #divide(fields) {
    const last = this.tail.last;
    const { epoch, newest } = this.#resume;
    this.tell({ epoch, seq: Math.max(newest, last?.epoch === epoch ? last.seq : 0), ...fields });
  }

  /** @param {number} seq of the last event before the live ones */
  async #begin(seq) {
    try {
      const page = await this.history({ before: seq + 1, limit: FIRST_PAGE });
      if (this.#begun) return;
      this.#begun = true;
      if (this.tail.floor.seq !== seq) return; // so much has come meanwhile that it was trimmed
      const first = page.items[0];
      this.tail.floor = this.#place(first ? first.seq - 1 : seq);
      for (const item of page.items) if (this.tail.add(item)) this.watcher.added(item, false);
    } catch {
      // The connection broke: the next one begins again.
    }
  }

  /** What was missed is here: what was in doubt is clear now, and what waits can be said. */
  #settle() {
    for (const { kind, text } of this.statements.settle(this.#resume.whole)) {
      this.tell({ kind: "refused", by: kind, nick: this.nick, text, code: "unknown" });
    }
    this.#ready = true;
    this.#send();
  }

  #lost() {
    this.#ready = false;
    this.questions.disconnected();
    this.statements.disconnected();
    this.watcher.said();
    if (!this.#refused || !this.wishes.nick) return false;
    this.wishes.nick = "";
    return true;
  }

  #send() {
    if (this.#ready) {
      for (const { kind, text, id } of this.statements.take(this.nick, this.#resume.newest)) {
        this.connection.send({ kind, text, id });
      }
    }
    this.watcher.said();
  }

  // What comes

  /** @param {any} object */
  #received(object) {
    switch (object.kind) {
      case "welcome":
        this.#welcomed(object);
        break;
      case "ack":
        if (!this.questions.answered(object)) this.#acked(object);
        break;
      case "error":
        if (!this.questions.answered(object)) this.#refuse(object);
        break;
      case "presence":
        this.#presence(object);
        break;
      case "gap":
        this.#gap(object);
        break;
      case "history":
      case "members":
      case "pong":
        this.questions.answered(object);
        break;
      default:
        if (Number.isInteger(object.seq)) this.#event(object);
    }
  }

  /** @param {any} event */
  #event(event) {
    const item = placed(event, this.#resume.epoch);
    if (this.statements.lookUp(item)) {
      item.mine = true;
      this.watcher.said();
    }
    const live = this.#resume.arrived(item.seq) && !item.mine && item.nick !== this.nick;
    if (!this.#add(item, live)) return;
    if (item.seq <= this.#enteredAt && !isSpeech(item)) return;
    this.people.happened(item);
    this.watcher.people();
  }

  /** @param {any} gap */
  #gap(gap) {
    this.#resume.whole = false;
    if (this.#resume.arrived(gap.to)) this.#add(placed(gap, this.#resume.epoch), false);
  }

  /**
   * @param {Item} item
   * @param {boolean} live
   */
  #add(item, live) {
    const added = this.tail.add(item);
    if (added) this.watcher.added(item, live);
    return added;
  }

  /** @param {any} ack */
  #acked(ack) {
    const statement = this.statements.acked(ack.id, ack.seq);
    if (statement) this.#own({ ...statement, seq: ack.seq });
    this.watcher.said();
  }

  /**
   * One's own events do not come back: they are made here.
   * @param {any} fields
   */
  #own(fields) {
    const item = { ...fields, ...this.#place(fields.seq), time: new Date().toISOString(), mine: true };
    this.#add(item, false);
    this.people.happened(item);
    this.watcher.people();
  }

  /** @param {number} seq */
  #place(seq) {
    return { epoch: this.#resume.epoch, seq, sub: 0 };
  }

  /** @param {any} error */
  #refuse(error) {
    const statement = this.statements.withdraw(error.id);
    if (statement) {
      const { kind, nick, text } = statement;
      this.tell({ kind: "refused", by: kind, nick, text, code: error.code, reason: error.text });
      this.watcher.said();
    } else if (!this.live && NICK_REFUSED.has(error.code)) {
      this.#refused = error.text;
    } else {
      this.tell({ kind: "notice", text: error.text });
    }
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

/**
 * An event in its place in the log.
 * @param {any} event
 * @param {number} epoch
 * @returns {Item}
 */
function placed(event, epoch) {
  return Object.assign(event, { epoch, sub: 0, seq: event.seq ?? event.from });
}
