// SPDX-License-Identifier: GPL-2.0-or-later
/** Kamailio as registrar, proxy and presence server, set up by the files in tests/peers/. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../../scripts/bench/child.ts";
import { freePort } from "../../scripts/bench/port.ts";
import { inPath } from "../../scripts/build/debian.ts";
import type { CertifiedKey } from "./certificates.ts";
import { authorization, type Challenge, readChallenge } from "./digest.ts";
import { Peer, type PeerMessage, type RequestOptions } from "./peer.ts";
import { header } from "./sip_text.ts";

const program = inPath("kamailio");
const modules = ["/usr/local/lib/kamailio/modules"]
  .concat(
    existsSync("/usr/lib") ? readdirSync("/usr/lib").map((name) => `/usr/lib/${name}/kamailio/modules`) : [],
  )
  .find(existsSync);
const tables = "/usr/share/kamailio/db_sqlite";
const needed = [
  ...["tls", "presence_xml", "db_sqlite"].map((name) => join(modules ?? "", `${name}.so`)),
  tables,
];

/** For the `skip` option of `describe` and `it`: false when all of Kamailio is there, else the reason. */
export const skipWithoutKamailio: string | false =
  program && inPath("sqlite3") && modules && needed.every(existsSync)
    ? false
    : "no kamailio with its modules (Debian: kamailio kamailio-tls-modules kamailio-presence-modules " +
      "kamailio-sqlite-modules sqlite3)";

/** Its users and their passwords; the realm and the domain are `kamailioDomain`. */
export const kamailioUsers = { alice: "alicepw", bob: "bobpw", carol: "carolpw" } as const;
export type KamailioUser = keyof typeof kamailioUsers;
export const kamailioDomain = "test.local";

export interface KamailioOptions {
  /** Its certificate; left out: no TLS. */
  readonly certificate?: CertifiedKey;
  /** In Kamailio's words: "TLSv1.2+" (default), "TLSv1.3", "TLSv1", say. */
  readonly tlsMethod?: string;
  /** Of the digest; default "MD5". Kamailio takes one at a time. */
  readonly algorithm?: Challenge["algorithm"];
  /** After so many seconds a nonce is stale; default 30. */
  readonly nonceLifetime?: number;
  /** A REGISTER, PUBLISH or SUBSCRIBE for less is answered 423, in seconds; default 0. */
  readonly minExpires?: number;
  /** The domain that it serves, and the realm of its digest; default `kamailioDomain`. */
  readonly domain?: string;
  /** Another IP address at whose port 5060 it listens too. */
  readonly alsoAt?: string;
  /** Its port for UDP and TCP, to take the place of one that has ended; left out: a free one. */
  readonly port?: number;
}

export type KamailioRequestOptions = Omit<RequestOptions, "port"> & { readonly password?: string };

let count = 0;

/** A Kamailio at work on 127.0.0.1. Ends by `await using`. */
export class Kamailio implements AsyncDisposable {
  /** Its port for UDP and for TCP. */
  readonly port: number;
  /** Its port for TLS; nobody listens there when it was given no certificate. */
  readonly tlsPort: number;
  readonly #child: Child;
  readonly #folder: string;

  private constructor(folder: string, port: number, tlsPort: number, isTLS: boolean) {
    this.#folder = folder;
    this.port = port;
    this.tlsPort = tlsPort;
    this.#child = new Child("Kamailio", program!, [
      // In the foreground, all its files in the folder, no more memory than it needs.
      ...["-DD", "-E", "-f", join(folder, "kamailio.cfg"), "-Y", folder, "-w", folder, "-m", "64", "-M", "8"],
      ...(isTLS ? ["-A", "WITH_TLS"] : []),
    ]);
  }

  /** Starts it. Resolves when it answers. A port may have been taken meanwhile: it is tried three times. */
  static async start(options: KamailioOptions = {}): Promise<Kamailio> {
    for (let tries = 1;; tries++) {
      try {
        return await Kamailio.#start(options);
      } catch (error) {
        if (tries === 3) throw error;
      }
    }
  }

  static async #start(options: KamailioOptions): Promise<Kamailio> {
    const { certificate, tlsMethod = "TLSv1.2+", algorithm = "MD5", nonceLifetime = 30, minExpires = 0 } =
      options;
    const folder = mkdtempSync(join(tmpdir(), "sipcore-kamailio-"));
    const [port, tlsPort] = [options.port ?? await freePort(), await freePort()];
    const fill = (name: string, words: Readonly<Record<string, string | number>>) => {
      const template = readFileSync(new URL(`../peers/kamailio.${name}`, import.meta.url), "utf8");
      const text = template.replace(/@([A-Z_]+)@/g, (_, word: string) => String(words[word]));
      writeFileSync(join(folder, name === "cfg" ? "kamailio.cfg" : name), text);
    };
    fill("cfg", {
      SIP_PORT: port,
      TLS_PORT: tlsPort,
      FOLDER: folder,
      ALGORITHM: algorithm,
      NONCE_LIFETIME: nonceLifetime,
      DOMAIN: options.domain ?? kamailioDomain,
      ALSO_LISTEN: options.alsoAt
        ? ["udp", "tcp"].map((transport) => `listen=${transport}:${options.alsoAt}:5060`).join("\n")
        : "",
      MIN_EXPIRES: minExpires,
    });
    if (certificate) {
      fill("tls.cfg", {
        METHOD: tlsMethod,
        // OpenSSL 3 speaks what is older than TLS 1.2 on this level only.
        CIPHERS: tlsMethod.includes("1.2") || tlsMethod.includes("1.3") ? "DEFAULT" : "DEFAULT@SECLEVEL=0",
        CERTIFICATE: certificate.cert,
        KEY: certificate.key,
      });
    }
    const schema = ["standard", "presence"].map((name) =>
      readFileSync(join(tables, `${name}-create.sql`), "utf8")
    );
    execFileSync("sqlite3", [join(folder, "presence.db")], { input: schema.join("\n") });
    return await new Kamailio(folder, port, tlsPort, certificate !== undefined).#started();
  }

  /** Starts it with another configuration, which gets a folder for files of its own; it must answer OPTIONS with 200. */
  static async startWith(configuration: (port: number, folder: string) => string): Promise<Kamailio> {
    const folder = mkdtempSync(join(tmpdir(), "sipcore-kamailio-"));
    const port = await freePort();
    writeFileSync(join(folder, "kamailio.cfg"), configuration(port, folder));
    return await new Kamailio(folder, port, 0, false).#started();
  }

  async #started(): Promise<this> {
    try {
      await this.#answers();
    } catch (cause) {
      await this[Symbol.asyncDispose]();
      throw new Error(this.#child.failure("did not start").message, { cause });
    }
    return this;
  }

  /** Its sockets are open before there is a process behind them that answers. */
  async #answers(): Promise<void> {
    await using peer = await Peer.open();
    let hasEnded = false;
    this.#child.ended.finally(() => hasEnded = true).catch(() => {});
    for (let tries = 1;; tries++) {
      peer.request("OPTIONS", { uri: `sip:127.0.0.1:${this.port}` });
      try {
        await peer.next({ code: 200, timeoutMs: 100 });
        return;
      } catch (error) {
        if (hasEnded || tries === 30) throw error;
      }
    }
  }

  /** What it has said last, as an error: for a test that finds it wrong. */
  failure(what: string): Error {
    return this.#child.failure(what);
  }

  /** The address of one of its users. */
  uri(user: string): string {
    return `sip:${user}@${kamailioDomain}`;
  }

  /**
   * Sends a request of one of the users from the peer, answering the challenge; the final response. `password`
   * left out: the right one.
   */
  async request(
    peer: Peer,
    method: string,
    user: KamailioUser,
    { password = kamailioUsers[user], ...options }: KamailioRequestOptions,
  ): Promise<PeerMessage> {
    const request: RequestOptions = {
      from: `<${this.uri(user)}>;tag=${user}`,
      callId: `${method}-${user}-${peer.port}-${++count}`,
      ...options,
      port: this.port,
    };
    peer.request(method, request);
    const asked = await finalAnswer(peer, method);
    const register = method === "REGISTER";
    if (asked.code !== (register ? 401 : 407)) return asked;
    const challenge = readChallenge(header(asked, register ? "WWW-Authenticate" : "Proxy-Authenticate"));
    const answer = authorization(challenge, { method, uri: options.uri, user, password });
    const headers = { ...options.headers, [register ? "Authorization" : "Proxy-Authorization"]: answer };
    peer.request(method, { ...request, headers });
    return finalAnswer(peer, method);
  }

  /** Registers that contact, by default the peer itself, as one of the users; what was answered. */
  register(
    peer: Peer,
    user: KamailioUser,
    options: { contact?: string; expires?: number; password?: string } = {},
  ): Promise<PeerMessage> {
    const { contact = peer.uri, expires = 300, ...rest } = options;
    return this.request(peer, "REGISTER", user, {
      ...rest,
      uri: `sip:${kamailioDomain}`,
      to: `<${this.uri(user)}>`,
      headers: { Contact: `<${contact}>`, Expires: String(expires) },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Asked to end while it works, its processes may wait for each other's locks for ever. It has nothing to save.
    const children = childrenOf(this.#child.pid);
    if (children.length === 0) await this.#child.stop();
    this.#child.kill();
    for (const child of children) kill(child);
    await this.#child.ended.catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function finalAnswer(peer: Peer, cseqMethod: string): Promise<PeerMessage> {
  for (;;) {
    const answer = await peer.next({ cseqMethod });
    if (answer.code !== null && answer.code >= 200) return answer;
  }
}

/** None where the system does not tell. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").match(/\d+/g)?.map(Number) ?? [];
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone with the others.
  }
}
