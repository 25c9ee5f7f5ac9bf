// SPDX-License-Identifier: GPL-2.0-or-later
/** Sound devices without hardware: ALSA's file plug-in, in a configuration of the tests' own. */
import { readFileSync, writeFileSync } from "node:fs";
import { hasLibrary } from "../../scripts/build/debian.ts";
import type { Sound } from "../../scripts/wav.ts";
import { startProgram } from "./program.ts";

/** For the `skip` option of `describe` and `it`. */
export const skipWithoutAlsa: string | false = hasLibrary("libasound.so.2")
  ? false
  : "libasound.so.2 is not installed";

/** A device: what is played to it goes to the file `plays`; what it hears comes from the file `hears`. */
export interface AlsaDevice {
  readonly name: string;
  readonly plays?: string;
  readonly hears?: string;
}

/** Writes the configuration; an earlier one of this name was another machine, so to speak. */
export function writeAlsaConfig(filename: string, devices: readonly AlsaDevice[]): void {
  const entries = devices.map(({ name, plays, hears }) => {
    const file = (files: string): string => `{ type file format raw slave.pcm "null" ${files} }`;
    const sides = [
      plays ? `playback.pcm ${file(`file "${plays}"`)}` : "",
      hears ? `capture.pcm ${file(`file "/dev/null" infile "${hears}"`)}` : "",
    ];
    return `pcm.${name} { type asym ${sides.join(" ")} hint { show on description "${name}" } }\n`;
  });
  writeFileSync(
    filename,
    `pcm.null { type null hint { show on description "Nothing" } }\n${entries.join("")}`,
  );
}

/** Mono sound as the file plug-in reads it. */
export function writeRaw(filename: string, { samples }: Sound): void {
  writeFileSync(filename, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
}

/** What was played to a file. */
export function readRaw(filename: string, sampleRate: number): Sound {
  const bytes = readFileSync(filename);
  return { sampleRate, samples: new Int16Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 1) };
}

/**
 * Runs a program of tests/support/programs with that configuration. ALSA reads the name of the file once a process.
 *
 * @returns the objects that it has told, in JSON, one a line.
 * @throws Error when it ends with another status than 0, or says anything else.
 */
export async function tellingProgram(
  name: string,
  args: readonly (string | number)[],
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>[]> {
  const program = startProgram(name, args, { env });
  const status = await program.end(30_000);
  if (status !== 0) throw program.failure(`ended with status ${status}`);
  return program.output.map((line) => {
    if (!line.startsWith("{")) throw program.failure("said more than it should");
    return JSON.parse(line) as Record<string, unknown>;
  });
}
