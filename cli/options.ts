// SPDX-License-Identifier: GPL-2.0-or-later
/** The options that several commands share. */
import type { Options } from "./command.ts";

/** Of every command. */
export const general: Options = {
  json: { help: "one JSON object a line instead of text" },
  help: { help: "this text" },
};

/** Of the commands that speak SIP. */
export const network: Options = {
  address: { value: "IP", help: "local address (default: all)" },
  port: { value: "PORT", help: "local port for UDP and TCP (default: any free one)" },
  "tls-port": { value: "PORT", help: "local port for TLS (default: any free one)" },
  "tls-ca": { value: "FILE", help: "verify TLS servers by these authorities (default: not verified)" },
  "tls-cert": { value: "FILE", help: "our certificate" },
  "tls-key": { value: "FILE", help: "the key of our certificate" },
  verbose: { help: "every SIP message on standard error" },
};

/** Of the commands that ask something of somebody. */
export const account: Options = {
  from: { value: "URI", help: "who we are (default: sip:USER at the host that is spoken to)" },
  user: { value: "NAME", help: "user name for servers that ask for one (default: that of --from)" },
  password: {
    value: "TEXT",
    help: "its password; SIPCORE_PASSWORD in the environment is not seen by others",
  },
  proxy: { value: "HOST[:PORT]", help: "send to this server instead of the one that the address names" },
  transport: { value: "NAME", help: "udp, tcp or tls (default: what DNS says, else udp)" },
  timeout: { value: "SECONDS", help: "how long to wait for an answer (default: 32)" },
};

/** Of the commands that go on until they are told to end. */
export const lasting: Options = {
  seconds: { value: "SECONDS", help: "end after this time (default: at Ctrl-C)" },
};
