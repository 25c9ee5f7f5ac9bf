// SPDX-License-Identifier: GPL-2.0-or-later
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import { delay } from "@std/async";
import { residentBytes } from "../support/process_figures.ts";
import { Answers } from "./answers.ts";
import { mutate } from "./mutator.ts";
import { Probe } from "./probe.ts";
import { Random } from "./random.ts";
import { fill } from "./seeds.ts";
import type { Target } from "./target.ts";
import type { AttackOptions, AttackReport } from "./udp_attack.ts";

/** Connections that are open at the same time; the oldest one goes when there is another. */
const mostConnections = 200;

/** Messages on one connection, at most. */
const mostMessages = 20;

/** How many of the connections are no TLS from the beginning, or give up in the middle of the handshake. */
const brokenHandshakes = 0.1;

/** How many messages are changed: one whose end is not found ends the connection. */
const mutated = 0.5;

/** The messages in what came on a stream. */
class Splitter {
  #rest = "";

  take(data: string): string[] {
    this.#rest += data;
    const messages: string[] = [];
    for (;;) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return messages;
      const length = Number(/^Content-Length:\s*(\d+)/im.exec(this.#rest.slice(0, end))?.[1] ?? 0);
      const size = end + 4 + length;
      if (this.#rest.length < size) return messages;
      messages.push(this.#rest.slice(0, size));
      this.#rest = this.#rest.slice(size);
    }
  }
}

/** Sends messages over TCP or TLS: several in a segment, split at odd places, connections by the hundred. */
export async function attackByStream(
  target: Target,
  transport: "tcp" | "tls",
  { seeds, count, seed, onProgress = () => {} }: AttackOptions,
): Promise<AttackReport> {
  const port = transport === "tcp" ? target.ports.tcp : target.ports.tls!;
  const random = new Random(seed);
  const answers = new Answers();
  const memory: number[] = [];
  const open: Socket[] = [];
  await using probe = await Probe.open(target.ports.udp);
  const begun = performance.now();
  let sent = 0;

  const message = (index: number, ownPort: number) =>
    fill(random.pick(seeds), {
      port: target.ports.udp,
      ownPort,
      transport: transport === "tcp" ? "TCP" : "TLS",
      unique: `s${seed}x${index}`,
    });

  const listen = (socket: Socket) => {
    const splitter = new Splitter();
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const one of splitter.take(data.toString("latin1"))) {
        const reply = answers.take(one);
        if (reply !== null && socket.writable) socket.write(reply, "latin1");
      }
    });
  };

  /** Resolves when it stands, or when it never will. */
  const connection = async (): Promise<Socket | null> => {
    if (transport === "tcp") {
      const socket = connect(port, "127.0.0.1");
      listen(socket);
      await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
      return socket;
    }
    if (random.chance(brokenHandshakes)) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect").catch(() => {});
      const hello = random.chance(0.5) ? "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" : "";
      socket.write(
        hello + String.fromCharCode(...Array.from({ length: 200 }, () => random.below(256))),
        "latin1",
      );
      open.push(socket);
      return null;
    }
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    listen(socket);
    await Promise.race([once(socket, "secureConnect"), once(socket, "close")]).catch(() => {});
    return socket;
  };

  const use = (socket: Socket): void => {
    const texts: string[] = [];
    for (let left = 1 + random.below(mostMessages); left > 0 && sent < count; left--) {
      const index = sent++;
      const text = message(index, socket.localPort ?? 0);
      texts.push(random.chance(mutated) ? mutate(text, random, () => message(index, 0)) : text);
    }
    let stream = texts.join(random.chance(0.1) ? "\r\n\r\n" : "");
    while (stream.length > 0) {
      const size = random.chance(0.2) ? 1 + random.below(20) : 1 + random.below(4000);
      socket.write(stream.slice(0, size), "latin1");
      stream = stream.slice(size);
    }
    open.push(socket);
    if (random.chance(0.3)) socket.end();
    else if (random.chance(0.1)) socket.destroy();
  };

  while (sent < count) {
    const socket = await connection();
    if (socket) use(socket);
    if (open.length > mostConnections) open.shift()!.destroy();
    if (memory.length < sent / 1000) {
      memory.push(residentBytes(target.pid));
      onProgress(sent);
    }
    await probe.ask();
  }
  await delay(300);
  await probe.ask();
  const seconds = (performance.now() - begun) / 1000;
  for (const socket of open) socket.destroy();
  return { ...probe.report, messages: sent, seconds, answers, residentBytes: memory };
}
