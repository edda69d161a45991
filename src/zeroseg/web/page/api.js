/** Requests to the server: the token, waiting while it is busy, and one sentence for whatever goes wrong. */

import { sentence } from "./elements.js";

const TOKEN = "zeroseg-token"; // in sessionStorage
const TRIES = 6; // of a request to a busy server
const LONGEST_WAIT = 60; // seconds
const HEAVY = 5e6; // bytes of a photo that may be why a connection ends

/** Why something did not work, for people; `again`: whether the same may work later. */
export class Trouble extends Error {
  constructor(message, { again = false, code = "" } = {}) {
    super(message);
    Object.assign(this, { again, code });
  }
}

export class Client {
  #embeddings = new WeakMap(); // photo -> model -> promise of an embedding

  /** `askToken(wrong)`: resolves to a token; `say(text)`: tells why it takes longer, "" when it goes on. */
  constructor(askToken, say) {
    Object.assign(this, { askToken, say });
  }

  /** The models that are served, and the formats of files. */
  async models() {
    return (await this.#send("v1/models")).json();
  }

  /** The samples: file, labels, alt. */
  async samples() {
    return (await this.#send("samples/pictures.json")).json();
  }

  /** A sample's file. */
  async sample(file) {
    return (await this.#send(`samples/${file}`)).blob();
  }

  /** Size and embedding of a photo, encoded once for each model. */
  embed(photo, model) {
    if (!this.#embeddings.has(photo)) this.#embeddings.set(photo, new Map());
    const kept = this.#embeddings.get(photo);
    if (!kept.has(model)) {
      const form = new FormData();
      form.append("image", photo.blob, photo.name);
      form.append("model", model);
      const asked = this.#send("v1/embed", { method: "POST", body: form }).then((answer) => answer.json());
      asked.catch(() => kept.delete(model));
      kept.set(model, asked);
    }
    return kept.get(model);
  }

  /** The masks of a photo; `question`: labels, margin and so on, as POST /v1/name takes them. */
  async name(photo, model, question, signal) {
    return (await this.#ofEmbedding("v1/name", photo, model, question, signal)).json();
  }

  /** The masks as a file: {name, blob}. */
  async export(photo, model, question) {
    const answer = await this.#ofEmbedding("v1/export", photo, model, question);
    const named = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "");
    return { name: named?.[1] ?? `masks-${question.format}`, blob: await answer.blob() };
  }

  /** A request about a photo. If the server no longer keeps the embedding, the photo is embedded again. */
  async #ofEmbedding(address, photo, model, question, signal) {
    const ask = async () => {
      const { embedding } = await this.embed(photo, model);
      signal?.throwIfAborted();
      const body = JSON.stringify({ ...question, embedding });
      return this.#send(address, { method: "POST", body, headers: { "Content-Type": "application/json" }, signal });
    };
    try {
      return await ask();
    } catch (error) {
      if (error.code !== "embedding") throw error;
      this.#embeddings.get(photo).delete(model);
      return ask();
    }
  }

  async #send(address, options = {}) {
    for (let tries = 1; ; tries += 1) {
      const token = sessionStorage.getItem(TOKEN);
      const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${inBytes(token)}` }) };
      const answer = await this.#fetched(address, { ...options, headers });
      if (answer.ok) return answer;
      if (answer.status === 401) {
        sessionStorage.setItem(TOKEN, await this.#newToken(token));
      } else if (answer.status === 429 && tries < TRIES) {
        await this.#wait(answer.headers.get("retry-after"), options.signal);
      } else {
        throw await refusal(answer);
      }
    }
  }

  /** A token other than the one that was refused: asked for once, also if several requests need it. */
  async #newToken(refused) {
    const kept = sessionStorage.getItem(TOKEN);
    if (kept !== refused) return kept;
    this.asking ??= this.askToken(Boolean(refused)).finally(() => (this.asking = undefined));
    return this.asking;
  }

  async #wait(after, signal) {
    const seconds = Math.min(Math.max(Number(after) || 1, 1), LONGEST_WAIT);
    this.say(`The server is busy. It is asked again in ${seconds} s.`);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 1000 * seconds);
      const stop = () => (clearTimeout(timer), reject(signal.reason));
      signal?.addEventListener("abort", stop, { once: true });
    }).finally(() => this.say(""));
  }

  async #fetched(address, options) {
    try {
      return await fetch(address, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw await this.#unreachable(options.body);
    }
  }

  /** A server refuses a photo that is too large before it has read it, and then the connection ends. */
  async #unreachable(body) {
    const bytes = body instanceof FormData ? body.get("image").size : 0;
    const alive = await fetch("health/live").then((answer) => answer.ok, () => false);
    if (alive && bytes > HEAVY) {
      const size = (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 0 });
      const reason = `it is probably too large (${size} MB)`;
      return new Trouble(`The server did not accept this photo, ${reason}: make it smaller.`);
    }
    if (alive) return new Trouble("The connection broke: try again.", { again: true });
    return new Trouble("The server does not answer. Is it still running?", { again: true });
  }
}

/** A header has bytes for letters, so others than Latin ones are written as those of UTF-8, as `curl` does. */
const inBytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));

async function refusal(answer) {
  const said = await answer.json().catch(() => ({}));
  const message = said.error?.message ?? `the server could not answer (${answer.status}).`;
  const again = answer.status === 429 || answer.status >= 500;
  return new Trouble(sentence(message), { again, code: said.error?.code ?? "" });
}
