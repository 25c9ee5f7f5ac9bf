// SPDX-License-Identifier: GPL-2.0-or-later
/** A name server on loopback, over UDP and TCP, that answers what a test tells it. */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket as Connection } from "node:net";
import * as dns from "dns-packet";
import { type NameSettings, nameSettings } from "../../core/names.ts";

/** What a name has of each type; addresses are strings. */
export interface Records {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly CNAME?: string;
  readonly SRV?: readonly dns.SrvData[];
  readonly NAPTR?: readonly dns.NaptrData[];
}

/** What becomes of a question instead of an answer. */
export type Fault = "silent" | "servfail" | "garbage";

const usual: NameSettings = { ...nameSettings };

/** SRV data; what is left out is 0. */
export function srv(target: string, port: number, priority: number = 0, weight: number = 0): dns.SrvData {
  return { target, port, priority, weight };
}

/** NAPTR data that leads to SRV records. */
export function naptr(
  services: string,
  replacement: string,
  order: number = 0,
  preference: number = 0,
): dns.NaptrData {
  return { services, replacement, order, preference, flags: "s", regexp: "" };
}

export class NameServer implements AsyncDisposable {
  /** Every question, as "SRV _sip._udp.example.test"; those over TCP begin with "tcp ". */
  readonly asked: string[] = [];
  readonly #socket: Socket;
  readonly #server: Server;
  readonly #connections: Set<Connection> = new Set();
  readonly #names: Map<string, Records> = new Map();
  readonly #faults: Map<string, Fault> = new Map();
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket, server: Server) {
    this.#socket = socket;
    this.#server = server;
    socket.on("message", (bytes, { port, address }) => {
      const answer = this.#answer(dns.decode(bytes), false);
      if (answer !== null) socket.send(answer, port, address);
    });
    server.on("connection", (connection) => {
      this.#connections.add(connection);
      let bytes = Buffer.alloc(0);
      connection.on("error", () => {});
      connection.on("close", () => this.#connections.delete(connection));
      connection.on("data", (part: Buffer) => {
        bytes = Buffer.concat([bytes, part]);
        for (let size = 2; bytes.length >= 2; bytes = bytes.subarray(size)) {
          size = 2 + bytes.readUInt16BE(0);
          if (bytes.length < size) return;
          const answer = this.#answer(dns.decode(bytes.subarray(2, size)), true);
          if (answer === null) continue;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          connection.write(Buffer.concat([length, answer]));
        }
      });
    });
  }

  /** Opens one and has everything asked of it, and of an empty hosts file; its closing ends that. */
  static async open(settings: Partial<NameSettings> = {}): Promise<NameServer> {
    for (;;) {
      const server = createServer();
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const socket = createSocket("udp4");
      const bound = Promise.withResolvers<boolean>();
      socket.once("error", () => bound.resolve(false));
      socket.bind(port, "127.0.0.1", () => bound.resolve(true));
      if (await bound.promise) {
        Object.assign(nameSettings, { servers: [`127.0.0.1:${port}`], hostsFile: "/dev/null", ...settings });
        return new NameServer(socket, server);
      }
      server.close(); // another program has the UDP port of this number
    }
  }

  set(name: string, records: Records): this {
    this.#names.set(name, records);
    return this;
  }

  /** Has a question, as in `asked`, fail. */
  fail(question: string, fault: Fault): this {
    this.#faults.set(question, fault);
    return this;
  }

  /** Resolves when a question has come. */
  async question(question: string): Promise<void> {
    while (!this.asked.includes(question)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #answer({ id, questions }: dns.Packet, tcp: boolean): Uint8Array | null {
    const { type } = questions![0]!;
    const name = questions![0]!.name.toLowerCase();
    const question = `${type} ${name}`;
    this.asked.push(tcp ? `tcp ${question}` : question);
    for (const wake of this.#waiting.splice(0)) wake();
    const fault = this.#faults.get(question);
    if (fault === "silent") return null;
    if (fault === "garbage") return new Uint8Array(40).fill(0xc0);
    const answers = this.#find(name, type);
    const code = fault === "servfail" ? 2 : answers.length > 0 || this.#names.has(name) ? 0 : 3;
    const packet: dns.Packet = {
      type: "response",
      id: id!,
      flags: dns.RECURSION_DESIRED | dns.RECURSION_AVAILABLE | code,
      questions: questions!,
      answers: fault === undefined ? answers : [],
    };
    const bytes = dns.encode(packet);
    if (tcp || bytes.length <= 512) return bytes;
    return dns.encode({ ...packet, flags: packet.flags! | dns.TRUNCATED_RESPONSE, answers: [] });
  }

  #find(name: string, type: string): dns.Answer[] {
    const answers: dns.Answer[] = [];
    let owner = name;
    for (let links = 0; links < 20; links++) {
      const records = this.#names.get(owner);
      const data = records?.[type as keyof Records];
      const base = { name: owner, type, ttl: 60 };
      if (Array.isArray(data)) {
        for (const one of data) answers.push({ ...base, data: one } as dns.Answer);
        break;
      }
      if (records?.CNAME === undefined) break;
      answers.push({ ...base, type: "CNAME", data: records.CNAME });
      owner = records.CNAME;
    }
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Object.assign(nameSettings, usual);
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#socket.close(() => resolve())),
      new Promise<void>((resolve) => this.#server.close(() => resolve())),
    ]);
  }
}
