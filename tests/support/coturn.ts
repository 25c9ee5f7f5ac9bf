// SPDX-License-Identifier: GPL-2.0-or-later
/** coturn as STUN and TURN server, set up by the file in tests/peers/. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../../scripts/bench/child.ts";
import { freePort } from "../../scripts/bench/port.ts";
import { inPath } from "../../scripts/build/debian.ts";
import type { CertifiedKey } from "./certificates.ts";
import { StunClient, stunId, stunTypes } from "./stun.ts";

/** For the `skip` option of `describe` and `it`: false when coturn is there, else the reason. */
export const skipWithoutCoturn: string | false = inPath("turnserver")
  ? false
  : "no turnserver in PATH (Debian: coturn)";

/** Its users and their passwords. */
export const coturnUsers = { alice: "alicepw", bob: "bobpw" } as const;
export const coturnRealm = "test.local";

/** A coturn at work on 127.0.0.1 and 127.0.0.2. Ends by `await using`. */
export class Coturn implements AsyncDisposable {
  /** Its port for UDP and for TCP, of both addresses. */
  readonly port: number;
  /** What an RFC 3489 test means by another port. */
  readonly otherPort: number;
  /** Its port for TLS; 0 without a certificate. */
  readonly tlsPort: number;
  readonly #child: Child;
  readonly #folder: string;

  private constructor(folder: string, port: number, otherPort: number, tlsPort: number) {
    this.#folder = folder;
    this.port = port;
    this.otherPort = otherPort;
    this.tlsPort = tlsPort;
    this.#child = new Child("coturn", "turnserver", ["-c", join(folder, "turnserver.conf")]);
  }

  /** Starts it, with TLS if it gets a certificate. Resolves when it answers. */
  static async start(certificate: CertifiedKey | null = null): Promise<Coturn> {
    const folder = mkdtempSync(join(tmpdir(), "sipcore-coturn-"));
    const [port, otherPort] = [await freePort(), await freePort()];
    const tlsPort = certificate ? await freePort() : 0;
    const tls = certificate
      ? `tls-listening-port=${tlsPort}\ncert=${certificate.cert}\npkey=${certificate.key}`
      : "no-tls";
    const words: Record<string, string | number> = {
      PORT: port,
      OTHER_PORT: otherPort,
      FOLDER: folder,
      TLS: tls,
    };
    const template = readFileSync(new URL("../peers/coturn.conf", import.meta.url), "utf8");
    const text = template.replace(/@([A-Z_]+)@/g, (_, word: string) => String(words[word]));
    writeFileSync(join(folder, "turnserver.conf"), text);
    const coturn = new Coturn(folder, port, otherPort, tlsPort);
    try {
      await coturn.#answers();
    } catch (cause) {
      await coturn[Symbol.asyncDispose]();
      throw new Error(coturn.#child.failure("did not start").message, { cause });
    }
    return coturn;
  }

  async #answers(): Promise<void> {
    await using client = await StunClient.open();
    let hasEnded = false;
    this.#child.ended.finally(() => hasEnded = true).catch(() => {});
    for (let tries = 0;; tries++) {
      const request = { type: stunTypes.bindingRequest, id: stunId(), attributes: [] };
      try {
        await client.ask(request, { address: "127.0.0.2", port: this.otherPort }, 100);
        return;
      } catch (error) {
        if (hasEnded || tries === 100) throw error;
      }
    }
  }

  /** What it has said last, as an error: for a test that finds it wrong. */
  failure(what: string): Error {
    return this.#child.failure(what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Asked to end it takes a second, and it has nothing to save.
    this.#child.kill();
    await this.#child.ended.catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
