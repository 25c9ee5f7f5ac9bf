// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The Engine chapter of the API that sipcore carries over ("SIP Core API" of sipsimple), name by name: what it is
 * called here, and the test that holds it.
 */
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Engine, type EngineNotifications, type EngineOptions, type NotificationName } from "../mod.ts";

/** A test by its file, without "_test.ts", and a part of its title that no other test of that file has. */
type Test = readonly [file: string, title: string];

const badOptions: Test = ["engine", "refuses bad options by name"];
const lastOptions: Test = ["engine", "has the last options as attributes"];
const changePorts: Test = ["transports", "setUdpPort(), setTcpPort() and setTlsOptions() switch off"];
const lifecycle: Test = ["engine", "starts, stops and starts again, and tells so in order"];
const devices: Test = ["devices", "are ALSA's by direction"];

/** Options of start(), each an attribute too: the seed's name, ours, and the tests of its value and of its effect. */
const options: readonly (readonly [seed: string, ours: keyof EngineOptions, effect: Test])[] = [
  ["udp_port", "udpPort", ["engine", "listens on the ports that it is given"]],
  ["tcp_port", "tcpPort", ["engine", "listens on the ports that it is given"]],
  ["tls_port", "tlsPort", ["tls", "calls itself over TLS"]],
  ["tls_protocol", "tlsProtocol", ["tls", "older than tlsProtocol"]],
  ["tls_verify_server", "tlsVerifyServer", ["tls", "refuses a server that is"]],
  ["tls_ca_file", "tlsCaFile", ["tls", "talks to a server that is verified"]],
  ["tls_cert_file", "tlsCertFile", ["tls", "answers over the connection of a client"]],
  ["tls_privkey_file", "tlsPrivkeyFile", ["tls", "refuses certificates that are of no use"]],
  ["tls_timeout", "tlsTimeout", ["tls", "never ends up after tlsTimeout"]],
  ["user_agent", "userAgent", ["engine", "userAgent stands in requests and responses"]],
  ["log_level", "logLevel", ["engine", "logs for those who listen"]],
  ["trace_sip", "traceSip", ["engine", "traces SIP messages byte by byte"]],
  ["rtp_port_range", "rtpPortRange", ["rtp_transport", "uses a range up, names it when it is exhausted"]],
  ["codecs", "codecs", ["engine", "codecs takes known names in any case"]],
  ["events", "events", ["engine_answers", "knows the events that are added"]],
  ["incoming_events", "incomingEvents", ["engine_answers", "answers SUBSCRIBE with 489"]],
  ["incoming_requests", "incomingRequests", ["incoming_request", "takes any method that is listed"]],
  // Beyond the chapter.
  ["ip_address", "ipAddress", ["engine", "listens at all addresses"]],
  ["detect_sip_loops", "detectSipLoops", ["engine_answers", "come already by another way"]],
  ["", "maxPendingRequests", ["engine_answers", "refuses with 503 what is too much"]],
  ["", "sessionTimer", ["invitation_timer", "what calls ask for that name none"]],
  ["", "libraryPath", ["library", "takes the path of its first call"]],
];

/** Attributes beside those. */
const attributes: readonly (readonly [seed: string, ours: keyof Engine, test: Test])[] = [
  ["is_running", "isRunning", lifecycle],
  ["input_devices", "inputDevices", devices],
  ["output_devices", "outputDevices", devices],
  ["sound_devices", "soundDevices", devices],
  ["available_codecs", "availableCodecs", lastOptions],
];

const methods: readonly (readonly [seed: string, ours: keyof Engine, test: Test])[] = [
  ["start", "start", lifecycle],
  ["stop", "stop", ["engine", "stop() may be called twice"]],
  ["add_event", "addEvent", ["engine_answers", "knows the events that are added"]],
  ["add_incoming_event", "addIncomingEvent", ["engine_answers", "answers SUBSCRIBE with 489"]],
  ["remove_incoming_event", "removeIncomingEvent", ["engine_answers", "answers SUBSCRIBE with 489"]],
  ["add_incoming_request", "addIncomingRequest", [
    "engine",
    "addIncomingRequest() and removeIncomingRequest()",
  ]],
  ["remove_incoming_request", "removeIncomingRequest", ["incoming_request", "as soon as a method is listed"]],
  ["detect_nat_type", "detectNatType", ["nat_type", "answers a hundred calls once each"]],
  ["set_udp_port", "setUdpPort", changePorts],
  ["set_tcp_port", "setTcpPort", changePorts],
  ["set_tls_options", "setTlsOptions", ["tls", "changes what it is given, and nothing when it fails"]],
];

/** The keys are checked by the compiler: no notification of the engine's may be missing. */
const notifications: Readonly<Record<keyof EngineNotifications, Test>> = {
  SIPEngineWillStart: lifecycle,
  SIPEngineDidStart: lifecycle,
  SIPEngineDidFail: ["engine", "number of a port that is in use"],
  SIPEngineWillEnd: lifecycle,
  SIPEngineDidEnd: lifecycle,
  SIPEngineLog: ["engine", "logs for those who listen"],
  SIPEngineSIPTrace: ["engine", "traces SIP messages byte by byte"],
  SIPEngineDetectedNATType: ["nat_type", "tells each type of NAT"],
  SIPEngineGotException: ["engine", "when an observer throws"],
  SIPEngineGotMessage: ["engine_answers", "answers MESSAGE with 200, once"],
  SIPEngineGotWarning: ["engine_answers", "refuses with 503 what is too much"],
  SIPEngineTransportDidConnect: ["engine", "tells of connections, each once"],
  SIPEngineTransportDidDisconnect: ["engine", "connections that it makes, and of their end"],
  SIPEngineTransportDidVerifyCertificate: ["tls", "tells what a certificate says"],
  SIPEngineTransportGotCertificateError: ["tls", "refuses a server that is"],
  AudioDevicesDidChange: ["devices", "AudioDevicesDidChange and DefaultAudioDeviceDidChange"],
  DefaultAudioDeviceDidChange: ["devices", "AudioDevicesDidChange and DefaultAudioDeviceDidChange"],
};

const sources = new Map<string, string>();

/** Throws unless exactly one test of that file has that title. */
function assertHeld([file, title]: Test): void {
  const path = new URL(`./${file}_test.ts`, import.meta.url);
  const source = sources.get(file) ?? readFileSync(path, "utf8");
  sources.set(file, source);
  const titles = [...source.matchAll(/\bit\(\s*(["`])(.*?)\1/gs)].map(([, , text]) => text!);
  const found = titles.filter((text) => text.includes(title)).length;
  assertEquals(found, 1, `${found} tests of ${file}_test.ts have "${title}" in their title`);
}

function isAttribute(name: keyof Engine | keyof EngineOptions): boolean {
  return Object.getOwnPropertyDescriptor(Engine.prototype, name)?.get !== undefined;
}

describe("The Engine chapter", () => {
  it("Engine has every option of the chapter, as an option and as an attribute, and each is tested", () => {
    assertEquals(
      options.map(([, ours]) => ours).sort() as string[],
      Object.keys(Engine.defaultStartOptions).sort(),
    );
    for (const [seed, ours, effect] of options) {
      const [first = "", ...rest] = seed.split("_");
      const carried = first + rest.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
      assert(seed === "" || carried === ours, `${seed} is ${ours}`);
      assert(isAttribute(ours), String(ours));
      assertHeld(effect);
    }
    assertHeld(badOptions);
    assertHeld(lastOptions);
  });

  it("Engine has every attribute and every method of the chapter, and each is tested", () => {
    for (const [, ours, test] of attributes) {
      assert(isAttribute(ours), String(ours));
      assertHeld(test);
    }
    for (const [, ours, test] of methods) {
      assertEquals(typeof Engine.prototype[ours], "function", String(ours));
      assertHeld(test);
    }
  });

  it("Engine posts every notification of the chapter, and each is tested", () => {
    for (const test of Object.values(notifications)) assertHeld(test);
    const names: readonly NotificationName[] = Object.keys(notifications) as (keyof EngineNotifications)[];
    assertEquals(new Set(names).size, 17);
  });
});
