// SPDX-License-Identifier: GPL-2.0-or-later
/** The registration of the program, and its presence: what pjsua does about them by itself. */
import {
  ContactHeader,
  Credentials,
  type Engine,
  EventHeader,
  FromHeader,
  Header,
  NotificationCenter,
  Registration,
  type RegistrationFailure,
  Request,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import type { PjsuaOptions } from "./options.ts";

/** What pjsua asks for when a 423 does not say how much it wants. */
const guessedDuration = 3601;

/** That somebody is there (RFC 3863). */
const presence = `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:pjsua@127.0.0.1"><tuple id="t"><status><basic>open</basic>
</status></tuple></presence>`;

export class Account {
  readonly #options: PjsuaOptions;
  readonly #say: (line: string) => void;
  readonly #route: RouteHeader;
  readonly #contact: ContactHeader;
  readonly #registration: Registration;
  readonly #credentials: Credentials | null;
  readonly #from: FromHeader;
  #hasGuessed = false;
  /** The nonce that the last REGISTER has answered. */
  #sentNonce: string | null = null;

  constructor(options: PjsuaOptions, engine: Engine, say: (line: string) => void) {
    this.#options = options;
    this.#say = say;
    const registrar = SIPURI.parse(options.registrar!);
    this.#route = RouteHeader.to({ address: "127.0.0.1", port: registrar.port ?? 5060 });
    this.#from = new FromHeader(SIPURI.parse(options.id!));
    const { user } = this.#from.uri;
    this.#contact = new ContactHeader(engine.contactUri(this.#route, { user }));
    const [first] = options.credentials;
    this.#credentials = first
      ? new Credentials(first.username, first.password, { realm: first.realm })
      : null;
    this.#registration = new Registration(this.#from, {
      credentials: this.#credentials,
      duration: options.duration,
      extraHeaders: options.has("use-ims") ? [this.#emptyAuthorization()] : [],
    });
    const center = new NotificationCenter();
    center.addObserver(({ data }) => {
      this.#say(
        `${options.id}: registration success, status=${data.code} (${data.reason}), ` +
          `will re-register in ${data.expiresIn} seconds`,
      );
      if (options.has("publish")) this.#publish();
    }, { name: "SIPRegistrationDidSucceed" });
    center.addObserver(({ data }) => this.#failed(data), { name: "SIPRegistrationDidFail" });
    center.addObserver(({ data }) => {
      if (data.received || !data.data.startsWith("REGISTER ")) return;
      this.#sentNonce = data.data.match(/^(?:Proxy-)?Authorization:.*nonce="([^"]*)"/mi)?.[1] ?? null;
    }, { name: "SIPEngineSIPTrace" });
  }

  /** What an IMS network wants to see in the first REGISTER (3GPP TS 24.229, section 5.1.1.2). */
  #emptyAuthorization(): Header {
    const { username, realm } = this.#options.credentials[0]!;
    const { host } = this.#from.uri;
    return new Header(
      "Authorization",
      `Digest username="${username}", realm="${realm}", nonce="", uri="sip:${host}", response=""`,
    );
  }

  register(): void {
    this.#registration.register(this.#contact, this.#route);
  }

  #failed({ code, reason, minExpires, headers }: RegistrationFailure): void {
    this.#say(
      `${this.#options.id}: registration failed, status=${code} (${reason})${
        this.#whyRefused(code, headers)
      }`,
    );
    if (code !== 423) return;
    const asked = this.#registration.duration;
    if (minExpires === null && this.#hasGuessed) {
      this.#say("423 response without Min-Expires header is invalid");
    } else if (minExpires !== null && minExpires <= asked) {
      this.#say(`423 response with invalid Min-Expires header value ${minExpires}: invalid Min-Expires`);
    } else {
      this.#hasGuessed ||= minExpires === null;
      this.#registration.duration = minExpires ?? guessedDuration;
      this.register();
    }
  }

  /** In the words of PJSIP, which tells its own program why it gives up. */
  #whyRefused(code: number, headers: RegistrationFailure["headers"]): string {
    if (code !== 401 && code !== 407) return "";
    const challenge = headers.text("WWW-Authenticate") ?? headers.text("Proxy-Authenticate") ?? "";
    if (this.#sentNonce === null) return " PJSIP_ENOCREDENTIAL";
    const nonce = challenge.match(/nonce="([^"]*)"/)?.[1];
    return nonce === this.#sentNonce ? " PJSIP_EFAILEDCREDENTIAL" : " PJSIP_EAUTHSTALECOUNT";
  }

  /** As pjsua does, without a word of how long; once more where the server does not know what is to be changed. */
  #publish(isAgain = false): void {
    const request = new Request({
      method: "PUBLISH",
      requestUri: this.#from.uri,
      fromHeader: this.#from,
      toHeader: new ToHeader(this.#from.uri),
      routeHeader: this.#route,
      credentials: this.#credentials,
      extraHeaders: [new EventHeader("presence")],
      contentType: "application/pidf+xml",
      body: presence,
    });
    new NotificationCenter().addObserver(({ data }) => {
      if (data.code === 412 && !isAgain) this.#publish(true);
    }, { name: "SIPRequestDidFail", sender: request });
    request.send();
  }
}
