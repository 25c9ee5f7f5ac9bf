// SPDX-License-Identifier: GPL-2.0-or-later
/** The two ends of TLS that come with OpenSSL. */
import { Child } from "../../scripts/bench/child.ts";
import type { CertifiedKey } from "./certificates.ts";

/** `openssl s_server`: takes connections and prints what they say. */
export class TLSServer {
  readonly port: number;
  readonly child: Child;

  private constructor(child: Child, port: number) {
    this.child = child;
    this.port = port;
  }

  static async start({ cert, key }: CertifiedKey, options: readonly string[] = []): Promise<TLSServer> {
    const args = [
      "s_server",
      "-accept",
      "127.0.0.1:0",
      "-cert",
      cert,
      "-key",
      key,
      "-naccept",
      "4",
      ...options,
    ];
    const child = new Child("openssl s_server", "openssl", args);
    const { match } = await child.line(/^ACCEPT .*:(\d+)$/, 5000);
    return new TLSServer(child, Number(match[1]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.child.stop();
  }
}

/** `openssl s_client`, which connects and says `text`, with its line ends. */
export function connectTLS(port: number, text: string, options: readonly string[] = []): Child {
  const child = new Child("openssl s_client", "openssl", [
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-quiet",
    ...options,
  ]);
  child.write(text);
  return child;
}
