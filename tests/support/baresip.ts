// SPDX-License-Identifier: GPL-2.0-or-later
/** baresip as the other side of a call with sound, set up by the files in tests/peers/. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deadline, delay } from "@std/async";
import { Child } from "../../scripts/bench/child.ts";
import { freePort } from "../../scripts/bench/port.ts";
import { inPath } from "../../scripts/build/debian.ts";
import { readWav, type Sound, writeWav } from "../../scripts/wav.ts";

const modules = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"].find(existsSync);

/** For the `skip` option of `describe` and `it`: false when baresip is there, else the reason. */
export const skipWithoutBaresip: string | false = inPath("baresip") && modules
  ? false
  : "no baresip in PATH (Debian: baresip-core)";

/** What baresip tells over its control connection. */
interface Message {
  readonly event?: boolean;
  readonly type?: string;
  readonly param?: string;
}

/** A baresip at work. It takes every call. Ends by `await using`. */
export class Baresip implements AsyncDisposable {
  /** Its UDP port on 127.0.0.1. */
  readonly port: number;
  readonly #child: Child;
  readonly #folder: string;
  #control: Socket | null = null;
  #received = "";
  readonly #told: Message[] = [];
  #onMessage: () => void = () => {};

  private constructor(folder: string, port: number) {
    this.port = port;
    this.#folder = folder;
    this.#child = new Child("baresip", "baresip", ["-4", "-f", folder]);
  }

  /**
   * Starts it; `speech` is what it says in every call, `mediaenc` its way to encrypt them ("srtp", "srtp-mand",
   * "dtls_srtp"). Resolves when it is ready for calls.
   */
  static async start(speech: Sound, mediaenc: string | null = null): Promise<Baresip> {
    for (let attempt = 1;; attempt++) {
      try {
        return await Baresip.#start(speech, mediaenc);
      } catch (error) {
        // It also wants the port behind its own, for TLS, and somebody else may have that.
        if (attempt === 3 || !String(error).includes("Address already in use")) throw error;
      }
    }
  }

  static async #start(speech: Sound, mediaenc: string | null): Promise<Baresip> {
    const folder = mkdtempSync(join(tmpdir(), "sipcore-baresip-"));
    const [port, controlPort] = [await freePort(), await freePort()];
    const file = (name: string) => readFileSync(new URL(`../peers/baresip.${name}`, import.meta.url), "utf8");
    const words: Record<string, string> = {
      SIP_PORT: String(port),
      CONTROL_PORT: String(controlPort),
      FOLDER: folder,
      MODULES: modules!,
    };
    writeFileSync(join(folder, "config"), file("config").replace(/@(\w+)@/g, (_, word) => words[word]!));
    const accounts = file("accounts").trimEnd();
    writeFileSync(join(folder, "accounts"), `${accounts}${mediaenc ? `;mediaenc=${mediaenc}` : ""}\n`);
    writeFileSync(join(folder, "contacts"), "");
    mkdirSync(join(folder, "heard"));
    await writeWav(join(folder, "speech.wav"), speech);
    const baresip = new Baresip(folder, port);
    try {
      await deadline(baresip.#connect(controlPort), 10_000);
    } catch (cause) {
      await baresip[Symbol.asyncDispose]();
      throw new Error(baresip.#child.failure("did not start").message, { cause });
    }
    return baresip;
  }

  /** The control port opens when everything else is up. */
  async #connect(port: number): Promise<void> {
    let isOver = false;
    this.#child.ended.then(() => isOver = true, () => isOver = true);
    while (this.#control === null) {
      if (isOver) throw new Error("It has ended");
      const socket = connect(port, "127.0.0.1");
      const { promise, resolve } = Promise.withResolvers<boolean>();
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      if (await promise) this.#control = socket;
      else await delay(20);
    }
    this.#control.setEncoding("latin1").on("data", (chunk: string) => this.#take(chunk)).on(
      "error",
      () => {},
    );
  }

  /** Netstrings: length, colon, JSON, comma. */
  #take(chunk: string): void {
    this.#received += chunk;
    for (let match; (match = /^(\d+):/.exec(this.#received));) {
      const [start, length] = [match[0].length, Number(match[1])];
      if (this.#received.length < start + length + 1) break;
      this.#told.push(JSON.parse(this.#received.slice(start, start + length)) as Message);
      this.#received = this.#received.slice(start + length + 1);
    }
    this.#onMessage();
  }

  /** Gives a command, "dial" with a URI, say. */
  command(command: string, params: string = ""): void {
    const text = JSON.stringify({ command, params });
    this.#control!.write(`${text.length}:${text},`);
  }

  /** Waits until it has told that event ("CALL_ESTABLISHED", "CALL_CLOSED"), now or earlier; its parameter. */
  async event(type: string): Promise<string> {
    const find = () => this.#told.find((one) => one.event && one.type === type);
    const told = async () => {
      while (!find()) await new Promise<void>((resolve) => this.#onMessage = resolve);
      return find()!.param ?? "";
    };
    try {
      return await deadline(told(), 10_000);
    } catch (cause) {
      throw new Error(this.#child.failure(`told no ${type}`).message, { cause });
    }
  }

  /** What it has heard in its only call; whole once that call is over. */
  heard(): Promise<Sound> {
    const folder = join(this.#folder, "heard");
    const [name, ...others] = readdirSync(folder).filter((one) => one.endsWith("-dec.wav"));
    if (!name || others.length > 0) {
      throw new Error(`baresip has recorded: ${readdirSync(folder).join(", ")}`);
    }
    return readWav(join(folder, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#control?.destroy();
    await this.#child.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
