// SPDX-License-Identifier: GPL-2.0-or-later
/** Plain WAV files: one channel of 16-bit PCM, read and written whole. */
import { readFile, writeFile } from "node:fs/promises";

/** A sound in memory. */
export interface Sound {
  /** Samples a second, in Hz. */
  readonly sampleRate: number;
  /** One channel, full scale is ±32767. */
  readonly samples: Int16Array;
}

const PCM = 1;
const EXTENSIBLE = 0xfffe;
const HEADER_BYTES = 44;

/** Length of a sound in seconds. */
export function duration(sound: Sound): number {
  return sound.samples.length / sound.sampleRate;
}

/** The bytes of a WAV file with this sound. */
export function encodeWav(sound: Sound): Uint8Array<ArrayBuffer> {
  const { sampleRate, samples } = sound;
  if (!Number.isInteger(sampleRate) || sampleRate <= 0) throw new RangeError(`No sample rate: ${sampleRate}`);
  const size = samples.length * 2;
  const bytes = new Uint8Array(HEADER_BYTES + size);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("RIFF    WAVEfmt "), 0);
  view.setUint32(4, HEADER_BYTES - 8 + size, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  bytes.set(new TextEncoder().encode("data"), 36);
  view.setUint32(40, size, true);
  for (const [index, sample] of samples.entries()) view.setInt16(HEADER_BYTES + index * 2, sample, true);
  return bytes;
}

/**
 * The sound in the bytes of a WAV file. Chunks that it does not need are skipped, and a data chunk that
 * claims more than the file holds ends with the file.
 *
 * @throws {Error} when the bytes are no WAV file or hold something else than one channel of 16-bit PCM.
 */
export function decodeWav(bytes: Uint8Array): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (word(0) !== "RIFF" || word(8) !== "WAVE") throw new Error("Not a WAV file");
  let sampleRate = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = word(at);
    const size = Math.min(view.getUint32(at + 4, true), bytes.length - at - 8);
    const body = at + 8;
    if (name === "fmt ") sampleRate = readFormat(view, body, size);
    if (name === "data") {
      if (sampleRate === 0) throw new Error("Not a WAV file: sound before its format");
      const samples = new Int16Array(size >> 1);
      for (let index = 0; index < samples.length; index++) {
        samples[index] = view.getInt16(body + index * 2, true);
      }
      return { sampleRate, samples };
    }
    at = body + size + (size & 1);
  }
  throw new Error("Not a WAV file: no sound in it");
}

function readFormat(view: DataView, at: number, size: number): number {
  if (size < 16) throw new Error("Not a WAV file: the format is cut short");
  let format = view.getUint16(at, true);
  // The extensible form repeats the format's number at the start of a GUID.
  if (format === EXTENSIBLE && size >= 26) format = view.getUint16(at + 24, true);
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  if (format !== PCM || bits !== 16 || channels !== 1 || sampleRate === 0) {
    throw new Error(
      `Not mono 16-bit PCM: format ${format}, ${channels} channels, ${bits} bits, ${sampleRate} Hz`,
    );
  }
  return sampleRate;
}

/** Reads a WAV file. Throws what {@linkcode decodeWav} throws, with the file's name. */
export async function readWav(filename: string): Promise<Sound> {
  const bytes = await readFile(filename);
  try {
    return decodeWav(bytes);
  } catch (error) {
    throw new Error(`Cannot read ${filename}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Writes a WAV file; what stood there before is gone. */
export async function writeWav(filename: string, sound: Sound): Promise<void> {
  await writeFile(filename, encodeWav(sound));
}
