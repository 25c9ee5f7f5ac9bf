// SPDX-License-Identifier: GPL-2.0-or-later
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { after, afterEach, describe, it } from "node:test";
import { createServer as createTLSServer } from "node:tls";
import { assert, assertEquals, assertLess, assertMatch, assertThrows } from "@std/assert";
import {
  Engine,
  type EngineOptions,
  Invitation,
  NotificationCenter,
  PJSIPError,
  PJSIPTLSError,
  RouteHeader,
  SIPCoreError,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { type CertificateKind, Certificates, goodName, skipWithoutOpenssl } from "./support/certificates.ts";
import { Connections } from "./support/connections.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { connectTLS, TLSServer } from "./support/openssl.ts";
import { inviteOptions } from "./support/peer_calls.ts";
import { Peer } from "./support/peer.ts";
import { Story } from "./support/story.ts";
import { until } from "./support/until.ts";

const engine = new Engine();

function callOver(port: number, tlsName?: string): Story {
  const story = new Story(new Invitation());
  const routeHeader = RouteHeader.to({
    address: engine.ipAddress!,
    port,
    transport: "tls",
    ...(tlsName === undefined ? {} : { tlsName }),
  });
  story.invitation.sendInvite(inviteOptions(port, { routeHeader }));
  return story;
}

/** Waits for the call to fail and gives its code and reason. */
async function failureOf(story: Story): Promise<[number | null, string | null]> {
  const { data } = await story.until("disconnected");
  return [data.code, data.reason];
}

describe("Engine and TLS", { skip: skipWithoutOpenssl }, () => {
  const certificates = skipWithoutOpenssl ? null! : new Certificates();
  after(() => certificates?.[Symbol.dispose]());
  afterEach(stopEngine);

  function startVerifying(options: Partial<EngineOptions> = {}): Promise<Engine> {
    return startEngine({ tlsVerifyServer: true, tlsCaFile: certificates.caFile, ...options });
  }

  for (const kind of ["good", "sip", "wildcard"] as const satisfies CertificateKind[]) {
    it(`Engine talks to a server that is verified: ${kind}`, async () => {
      const name = kind === "wildcard" ? `a.${goodName}` : goodName;
      await using server = await TLSServer.start(certificates.get(kind));
      await startVerifying();
      using connections = new Connections();
      callOver(server.port, name);
      await server.child.line(/^INVITE sip:/, 5000);
      const { output } = server.child;
      const via = /^Via: SIP\/2\.0\/TLS 127\.0\.0\.1:\d+;/;
      await until(() => output.some((line) => via.test(line)), "the Via");
      assert(!server.child.output.some((line) => line.toLowerCase().includes("tlsname")));
      await until(() => connections.told.length > 1, "the connection");
      assertEquals(connections.names(), ["DidVerifyCertificate", "DidConnect"]);
      const [verified] = connections.told;
      assert(verified?.name === "SIPEngineTransportDidVerifyCertificate");
      const { data } = verified;
      assertEquals([data.verified, data.verifyStatus, data.transport], [true, 0, "tls"]);
      assertEquals([data.remoteHostname, data.remoteIp], [name, "127.0.0.1"]);
      assertEquals(data.remoteAddress, `127.0.0.1:${server.port}`);
      assertMatch(data.tlsCipher, /^TLS_|^ECDHE/);
    });
  }

  it("Engine tells what a certificate says", async () => {
    await using server = await TLSServer.start(certificates.get("good"));
    await startEngine();
    using connections = new Connections();
    callOver(server.port);
    await server.child.line(/^INVITE sip:/, 5000);
    await until(() => connections.told.length > 1, "the connection");
    const [shown] = connections.told;
    assert(shown?.name === "SIPEngineTransportDidVerifyCertificate");
    // Without a CA file nobody is trusted, and without tlsVerifyServer nobody is refused.
    assertEquals(shown.data.verified, false);
    const certificate = shown.data.certificate!;
    assertEquals(certificate.subject, `CN=${goodName}`);
    assertEquals(certificate.subjectInfo, { CN: goodName });
    assertEquals(certificate.issuer, "CN=ca");
    assertEquals(certificate.issuerInfo, { CN: "ca" });
    assertEquals(certificate.version, 3);
    assertMatch(certificate.serial, /^[0-9A-F]+$/);
    assertEquals(certificate.alternativeNames.slice(0, 2), [`DNS:${goodName}`, "IP Address:127.0.0.1"]);
    assertLess(certificate.notBefore!.getTime(), Date.now() + 1000);
    assertLess(Date.now(), certificate.notAfter!.getTime());
    assertMatch(certificate.pem, /^-----BEGIN CERTIFICATE-----\n/);
  });

  const refused: readonly [kind: CertificateKind, tlsName: string | undefined, reason: RegExp][] = [
    ["expired", goodName, /expired|validity|valid/i],
    ["notYetValid", goodName, /expired|not yet|valid/i],
    ["selfSigned", goodName, /not trusted|untrusted|self|issuer/i],
    ["untrusted", goodName, /not trusted|untrusted|issuer/i],
    ["wrongName", goodName, /identity|match/i],
    ["good", "other.example", /identity|match/i],
    ["wrongName", undefined, /identity|match/i],
    ["nul", goodName, /identity|match/i],
    ["partialWildcard", goodName, /identity|match/i],
    ["weak", goodName, /./],
  ];
  for (const [kind, tlsName, reason] of refused) {
    it(`Engine refuses a server that is ${kind}, asked for ${tlsName ?? "its address"}`, async () => {
      await using server = await TLSServer.start(certificates.get(kind), ["-cipher", "DEFAULT@SECLEVEL=0"]);
      await startVerifying();
      using connections = new Connections();
      assertEquals((await failureOf(callOver(server.port, tlsName)))[0], 503);
      await until(() => connections.told.length > 1, "the end of the connection");
      assertEquals(connections.names(), ["GotCertificateError", "DidDisconnect"]);
      const [error, gone] = connections.told;
      assert(error?.name === "SIPEngineTransportGotCertificateError");
      assertMatch(error.data.reason, reason);
      assertEquals(error.data.certificateErrors.join("; "), error.data.reason);
      assert(error.data.verifyStatus !== 0);
      assertMatch(error.data.certificate!.pem, /BEGIN/);
      assert(gone?.name === "SIPEngineTransportDidDisconnect");
      assertEquals(gone.data.reason, error.data.reason);
      assert(!server.child.output.some((line) => line.startsWith("INVITE ")));
    });
  }

  it("Engine refuses a version of TLS that is older than tlsProtocol", async () => {
    await using server = await TLSServer.start(certificates.get("good"), [
      "-tls1",
      "-cipher",
      "DEFAULT@SECLEVEL=0",
    ]);
    await startVerifying();
    using connections = new Connections();
    const [code, text] = await failureOf(callOver(server.port, goodName));
    assertEquals(code, 503);
    assertMatch(text!, /\S/);
    await until(() => connections.told.length > 0, "the end of the connection");
    assertEquals(connections.names(), ["DidDisconnect"]);
    assertMatch((connections.told[0]!.data as { reason: string }).reason, /version|protocol|alert/i);
  });

  it("Engine talks TLS 1.3 alone when tlsProtocol says so", async () => {
    await using old = await TLSServer.start(certificates.get("good"), ["-tls1_2"]);
    await using server = await TLSServer.start(certificates.get("good"), ["-tls1_3"]);
    await startVerifying({ tlsProtocol: "TLSv1.3" });
    callOver(server.port, goodName);
    await server.child.line(/^INVITE sip:/, 5000);
    assertEquals((await failureOf(callOver(old.port, goodName)))[0], 503);
  });

  it("Engine keeps one connection for a name and an address, and another for another name", async () => {
    const { cert, key } = certificates.get("good");
    const names: unknown[] = [];
    let invites = 0;
    const server = createTLSServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      names.push((socket as { servername?: string | false }).servername);
      socket.on("data", (data: Uint8Array) => {
        invites += new TextDecoder().decode(data).match(/^INVITE /gm)?.length ?? 0;
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await startEngine();
    using connections = new Connections();
    for (const [index, name] of [goodName, goodName, "other.example"].entries()) {
      callOver(port, name);
      await until(() => invites > index, "the INVITE");
    }
    assertEquals(names, [goodName, "other.example"]);
    await until(() => connections.names().length === 4, "both connections");
    server.close();
  });

  it("Engine gives a handshake that never ends up after tlsTimeout", async () => {
    const server: Server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await startVerifying({ tlsTimeout: 300 });
    const start = performance.now();
    assertEquals((await failureOf(callOver(port, goodName)))[0], 503);
    assertLess(performance.now() - start, 2500);
    server.close();
  });

  it("Engine is not delayed by 200 handshakes that never end", async () => {
    await startEngine({
      tlsCertFile: certificates.get("good").cert,
      tlsPrivkeyFile: certificates.get("good").key,
    });
    const sockets = await Promise.all(Array.from({ length: 200 }, async () => {
      const socket = connect(engine.tlsPort!, "127.0.0.1");
      await once(socket, "connect");
      // The beginning of a ClientHello, and no more.
      socket.write(new Uint8Array([0x16, 0x03, 0x01, 0x02]));
      return socket;
    }));
    await using peer = await Peer.open();
    for (let probe = 0; probe < 10; probe++) {
      const start = performance.now();
      peer.request("OPTIONS", { uri: `sip:127.0.0.1:${engine.udpPort}` });
      await peer.next({ code: 200 });
      assertLess(performance.now() - start, 250);
    }
    for (const socket of sockets) socket.destroy();
  });

  it("Engine answers over the connection of a client, tells of it, and takes garbage for an end", async () => {
    const { cert, key } = certificates.get("good");
    await startEngine({ tlsCertFile: cert, tlsPrivkeyFile: key });
    using connections = new Connections();
    const options = (callId: string) =>
      [
        `OPTIONS sip:127.0.0.1:${engine.tlsPort};transport=tls SIP/2.0`,
        `Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK${callId};rport`,
        "Max-Forwards: 70",
        "From: <sip:a@127.0.0.1>;tag=1",
        "To: <sip:127.0.0.1>",
        `Call-ID: ${callId}`,
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n");
    const verify = ["-CAfile", certificates.caFile, "-verify_return_error", "-verify_hostname", goodName];
    const client = connectTLS(engine.tlsPort!, options("one"), verify);
    await client.line(/^SIP\/2\.0 200 /, 5000);
    client.write(options("two"));
    await client.line(/^Call-ID: two/, 5000);
    assertEquals(connections.names(), ["DidConnect"]);
    const garbage = connectTLS(engine.tlsPort!, "\0\x01\x02".repeat(30_000), verify);
    const tidy = connectTLS(engine.tlsPort!, options("three"), verify);
    await tidy.line(/^SIP\/2\.0 200 /, 5000);
    for (const child of [client, garbage, tidy]) await child.stop();
  });

  it("Engine calls itself over TLS, IPv4 and IPv6", async () => {
    const { cert, key } = certificates.get("good");
    for (const ipAddress of ["127.0.0.1", "::1"]) {
      await startVerifying({ ipAddress, tlsCertFile: cert, tlsPrivkeyFile: key });
      const stream = new NotificationCenter().stream({ name: "SIPInvitationChangedState" });
      const story = callOver(engine.tlsPort!, goodName);
      for await (const { sender, data } of stream) {
        if (data.state === "incoming") {
          assertEquals(sender.transport, "tls");
          sender.sendResponse(480);
          break;
        }
      }
      assertEquals((await failureOf(story))[0], 480);
      await engine.stop();
    }
  });

  it("Engine.start() refuses certificates that are of no use, by name, and can be repeated", async () => {
    const { cert, key } = certificates.get("good");
    const text = certificates.file("text.pem", "no certificate\n");
    const cases: readonly [Partial<EngineOptions>, RegExp][] = [
      [{ tlsCaFile: "/nowhere/ca.pem" }, /tlsCaFile \/nowhere\/ca\.pem/],
      [{ tlsCertFile: "/nowhere/c.pem", tlsPrivkeyFile: key }, /tlsCertFile \/nowhere\/c\.pem/],
      [{ tlsCertFile: cert, tlsPrivkeyFile: "/nowhere/k.pem" }, /tlsPrivkeyFile \/nowhere\/k\.pem/],
      [{ tlsCaFile: text }, /tlsCaFile .*text\.pem/],
      [{ tlsCertFile: text, tlsPrivkeyFile: key }, /tlsCertFile .*text\.pem/],
      [{ tlsCertFile: cert, tlsPrivkeyFile: text }, /tlsPrivkeyFile .*text\.pem/],
      [{ tlsCertFile: cert, tlsPrivkeyFile: certificates.get("sip").key }, /tlsPrivkeyFile .*sip\.key/],
    ];
    for (const [options, message] of cases) {
      const failed = new NotificationCenter().once("SIPEngineDidFail");
      const error = await startEngine(options).then(() => null, (error) => error as unknown);
      assert(error instanceof PJSIPTLSError, String(error));
      assertMatch(error.message, message);
      assertEquals(error.code, "PJSIP_TLS");
      await failed;
      assertEquals(engine.isRunning, false);
    }
    await startEngine({ tlsCertFile: cert, tlsPrivkeyFile: key });
  });

  it("Engine.setTlsOptions() changes what it is given, and nothing when it fails", async () => {
    const { cert, key } = certificates.get("good");
    await startVerifying();
    const port = engine.tlsPort!;
    engine.setTlsOptions({ certFile: cert, privkeyFile: key });
    assertEquals([engine.tlsPort, engine.tlsCertFile, engine.tlsVerifyServer], [port, cert, true]);
    const error = assertThrows(
      () => engine.setTlsOptions({ caFile: "/nowhere", localPort: 0 }),
      PJSIPTLSError,
    );
    assertMatch(error.message, /\/nowhere/);
    assertThrows(() => engine.setTlsOptions({ protocol: "SSLv3" as never }), RangeError, "protocol");
    assertThrows(() => engine.setTlsOptions({ tlsPort: 1 } as never), TypeError, "tlsPort");
    assertEquals([engine.tlsPort, engine.tlsCaFile], [port, certificates.caFile]);
    const used: Server = createServer().listen(0, "127.0.0.1");
    await once(used, "listening");
    const busy = (used.address() as { port: number }).port;
    assertThrows(() => engine.setTlsOptions({ localPort: busy, timeout: 7 }), PJSIPError, String(busy));
    used.close();
    assertEquals([engine.tlsPort, engine.tlsTimeout], [port, 3000]);
    // It still listens, with the certificate that it was given.
    const client = connectTLS(port, "", ["-CAfile", certificates.caFile, "-verify_return_error"]);
    await client.line(/verify return:1/, 5000);
    await client.stop();
    engine.setTlsOptions({ localPort: null });
    assertEquals(engine.tlsPort, null);
    assertThrows(() => callOver(port), SIPCoreError);
    await engine.stop();
    assertThrows(() => engine.setTlsOptions({}), SIPCoreInvalidStateError);
  });

  it("Engine.setTlsOptions() makes new requests leave by connections under the new options", async () => {
    await using server = await TLSServer.start(certificates.get("untrusted"));
    await startEngine({ tlsCaFile: certificates.caFile });
    const story = callOver(server.port, goodName);
    await server.child.line(/^INVITE sip:/, 5000);
    story.invitation.end();
    engine.setTlsOptions({ verifyServer: true });
    using connections = new Connections();
    await using again = await TLSServer.start(certificates.get("untrusted"));
    assertEquals((await failureOf(callOver(again.port, goodName)))[0], 503);
    assert(connections.names().includes("GotCertificateError"));
  });
});
