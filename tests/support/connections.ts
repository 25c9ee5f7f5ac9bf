// SPDX-License-Identifier: GPL-2.0-or-later
import { NotificationCenter, type SIPNotification } from "../../mod.ts";

const names = [
  "SIPEngineTransportDidConnect",
  "SIPEngineTransportDidDisconnect",
  "SIPEngineTransportDidVerifyCertificate",
  "SIPEngineTransportGotCertificateError",
] as const;

/** What the engine tells of connections. Ends by `using`. */
export class Connections implements Disposable {
  readonly told: SIPNotification<(typeof names)[number]>[] = [];
  readonly #observer: Disposable;

  constructor() {
    this.#observer = new NotificationCenter().addObserver(
      (notification) => void this.told.push(notification),
      { name: names },
    );
  }

  names(): string[] {
    return this.told.map(({ name }) => name.replace("SIPEngineTransport", ""));
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}
