// SPDX-License-Identifier: GPL-2.0-or-later
/** A package registry with nothing in it but the packages of this source tree. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { type Packages, run } from "./packages.ts";

/** What it tells of a package. */
interface Entry {
  readonly manifest: { readonly name: string; readonly version: string };
  readonly file: string;
  readonly bytes: Uint8Array;
}

export class Registry implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server, entries: readonly Entry[]) {
    this.#server = server;
    server.on("request", (request, response) => {
      const path = decodeURIComponent(request.url!.slice(1));
      const entry = entries.find(({ manifest, file }) => path === manifest.name || path === file);
      if (entry === undefined) response.writeHead(404).end("{}");
      else if (path === entry.file) response.end(entry.bytes);
      else response.writeHead(200, { "content-type": "application/json" }).end(this.#describe(entry));
    });
  }

  static async start({ tarballs }: Packages): Promise<Registry> {
    const entries = tarballs.map((tarball): Entry => ({
      manifest: JSON.parse(run("tar", ["-xOf", tarball, "package/package.json"], "/")),
      file: basename(tarball),
      bytes: readFileSync(tarball),
    }));
    const server = createServer();
    const registry = new Registry(server, entries);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return registry;
  }

  get #url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What tells package managers to use it. */
  get env(): Record<string, string> {
    return { NPM_CONFIG_REGISTRY: this.#url, npm_config_registry: this.#url };
  }

  #describe({ manifest, file, bytes }: Entry): string {
    const { name, version } = manifest;
    const dist = {
      tarball: `${this.#url}/${file}`,
      shasum: createHash("sha1").update(bytes).digest("hex"),
      integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
    };
    return JSON.stringify({
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist } },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
