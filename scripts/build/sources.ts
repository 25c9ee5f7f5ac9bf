// SPDX-License-Identifier: GPL-2.0-or-later

import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DebianSources, isDebian } from "./debian.ts";
import { keyOfTree, sha256OfFile } from "./digest.ts";
import { BuildFailure } from "./failure.ts";
import type { Layout } from "./layout.ts";
import { type Pin, PJPROJECT, PJPROJECT_VERSION, UPSTREAM } from "./pins.ts";
import type { Report } from "./report.ts";

/** A source that was found good: a tarball, or an unpacked tree that the user names. */
export interface Source {
  readonly path: string;
  readonly tree: boolean;
  /** SHA-256 of the tarball, key of the tree. */
  readonly id: string;
}

/** The three pinned or named places that sources come from, and the cache before them. */
export class Sources {
  readonly #report: Report;
  readonly #cache: string;
  readonly #lists: string;
  readonly #debian: DebianSources;

  constructor(report: Report, layout: Layout) {
    this.#report = report;
    this.#cache = layout.cache;
    this.#lists = join(layout.folder, "apt");
    this.#debian = new DebianSources(report, this.#lists);
    mkdirSync(this.#cache, { recursive: true });
  }

  /** pjproject: what the user names, else upstream's archive, else Debian's copy. */
  async pjproject(named: string | undefined): Promise<Source> {
    if (named !== undefined) return await namedSource(named);
    for (const { file, sha256 } of [UPSTREAM, PJPROJECT]) {
      const cached = await this.#cached(file, sha256);
      if (cached) return cached;
    }
    return await this.#upstream() ?? await this.debian(PJPROJECT);
  }

  /** A file of a Debian source package: the pinned one, or on apt's signature the newest, loudly. */
  async debian(pin: Pin): Promise<Source> {
    const cached = await this.#cached(pin.file, pin.sha256);
    if (cached) return cached;
    if (!isDebian()) {
      throw new BuildFailure(
        `${pin.file} is not in ${this.#cache}, and without apt it cannot be fetched; put it there, or build on Debian`,
      );
    }
    for (const suite of new Set([pin.suite, "sid"])) {
      const files = await this.#debian.files(suite, pin.package);
      const file = files.find((each) => each.sha256 === pin.sha256);
      if (file) return await this.#fetch(suite, file, pin.file);
    }
    const file = (await this.#debian.files("sid", pin.package)).find(({ name }) => pin.component.test(name));
    if (!file) throw new BuildFailure(`Debian carries no source of ${pin.name} any more; see pins.ts`);
    this.#report.note(`WARNING: ${pin.file} is gone from Debian; taking ${file.name} on apt's signature.`);
    this.#report.note("         The pin wants renewing: scripts/build/pins.ts");
    return await this.#fetch("sid", file, file.name);
  }

  /** Removes apt's package lists, 45 MB that are of no use once the files are here. */
  forgetLists(): void {
    rmSync(this.#lists, { recursive: true, force: true });
  }

  async #fetch(
    suite: string,
    file: { uri: string; name: string; sha256: string },
    as: string,
  ): Promise<Source> {
    const target = join(this.#cache, as);
    const partial = `${target}.partial`;
    await this.#debian.download(suite, file, partial);
    const id = await sha256OfFile(partial);
    if (id !== file.sha256) {
      rmSync(partial, { force: true });
      throw new BuildFailure(`${file.name} arrived with a wrong SHA-256 (${id}); try again`);
    }
    renameSync(partial, target);
    return { path: target, tree: false, id };
  }

  async #cached(file: string, sha256: string): Promise<Source | undefined> {
    const path = join(this.#cache, file);
    if (!existsSync(path)) return undefined;
    if (await sha256OfFile(path) === sha256) return { path, tree: false, id: sha256 };
    this.#report.note(`${file} in the cache is damaged; fetching it again`);
    rmSync(path);
    return undefined;
  }

  /** Upstream's release archive, or undefined where it cannot be reached: most build machines sit behind a wall. */
  async #upstream(): Promise<Source | undefined> {
    const target = join(this.#cache, UPSTREAM.file);
    const partial = `${target}.partial`;
    // Some seconds to answer, then a minute without a byte more than the file has.
    const patience = new AbortController();
    let timer = setTimeout(() => patience.abort(), 4_000);
    try {
      const response = await fetch(UPSTREAM.url, { signal: patience.signal });
      if (!response.ok || response.body === null) return undefined;
      clearTimeout(timer);
      timer = setTimeout(() => patience.abort(), 60_000);
      await pipeline(response.body, createWriteStream(partial));
    } catch {
      rmSync(partial, { force: true });
      return undefined;
    } finally {
      clearTimeout(timer);
    }
    const id = await sha256OfFile(partial);
    if (id !== UPSTREAM.sha256) {
      rmSync(partial, { force: true });
      this.#report.note(`WARNING: upstream's ${UPSTREAM.file} has a wrong SHA-256 (${id}); not used`);
      return undefined;
    }
    renameSync(partial, target);
    return { path: target, tree: false, id };
  }
}

/** A tree must be of the right version; a tarball must be a pinned one. */
export async function namedSource(path: string): Promise<Source> {
  if (!existsSync(path)) throw new BuildFailure(`There is no pjproject at ${path}`);
  if (statSync(path).isDirectory()) {
    checkVersion(path, path);
    return { path, tree: true, id: keyOfTree(path) };
  }
  const id = await sha256OfFile(path);
  if (id !== UPSTREAM.sha256 && id !== PJPROJECT.sha256) {
    throw new BuildFailure(
      `${basename(path)} has SHA-256 ${id}, which is not that of pjproject ${PJPROJECT_VERSION}; ` +
        "download it again, or unpack it and name the folder if you trust it",
    );
  }
  return { path, tree: false, id };
}

/** Whether a pjproject tree says the version that the shim is written against. */
export function checkVersion(tree: string, name: string): void {
  const file = join(tree, "version.mak");
  if (!existsSync(file)) throw new BuildFailure(`${name} is not a pjproject tree: it has no version.mak`);
  const text = readFileSync(file, "utf8");
  const part = (word: string): string =>
    new RegExp(`PJ_VERSION_${word}[ \\t]*:=[ \\t]*(\\S*)`).exec(text)?.[1] ?? "";
  const version = [part("MAJOR"), part("MINOR"), part("REV")].filter(Boolean).join(".") + part("SUFFIX");
  if (version !== PJPROJECT_VERSION) {
    throw new BuildFailure(`${name} is pjproject ${version}; this library is made for ${PJPROJECT_VERSION}`);
  }
}
