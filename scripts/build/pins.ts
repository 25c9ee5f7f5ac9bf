// SPDX-License-Identifier: GPL-2.0-or-later
// What the library is built from. Nothing of a file runs before its SHA-256 was seen to be the one here.

/** One file of a Debian source package, pinned. */
export interface Pin {
  /** Word for it in messages and in the stamp. */
  readonly name: string;
  /** Debian source package, and the suite that carries the pinned file. */
  readonly package: string;
  readonly suite: string;
  readonly file: string;
  readonly sha256: string;
  /** Finds the same component in a later version of the package, for the day when the pinned file is gone. */
  readonly component: RegExp;
}

/** The version of pjproject that the shim is written against and the tests run on. */
export const PJPROJECT_VERSION = "2.17";

/** Upstream's release archive: complete, with its own copies of the codecs. */
export const UPSTREAM: { readonly url: string; readonly file: string; readonly sha256: string } = {
  url: `https://github.com/pjsip/pjproject/archive/refs/tags/${PJPROJECT_VERSION}.tar.gz`,
  file: `pjproject-${PJPROJECT_VERSION}.tar.gz`,
  sha256: "065fe06c06788d97c35f563796d59f00ce52fe9558a52d7b490a042a966facce",
};

/** pjproject as Debian carries it, inside asterisk's source package; without third_party codecs. */
export const PJPROJECT: Pin = {
  name: "pjproject",
  package: "asterisk",
  suite: "sid",
  file: "asterisk_22.10.1+dfsg+~cs6.17.60671434.orig-Xpjproject.tar.xz",
  sha256: "6860c2f7604b4eee75f38151a9ef69774eb3f0c5286fc1d14bc1db2dc5a9e8aa",
  component: /\.orig-Xpjproject\.tar\.\w+$/,
};

const ORIG = /\.orig\.tar\.\w+$/;

/**
 * Built here with -fPIC, since Debian's static opus and speex are not position-independent, and since its
 * static libsrtp2 is made for NSS, which would be one more run-time dependency (and a third TLS library).
 */
export const CODECS: readonly Pin[] = [
  {
    name: "opus",
    package: "opus",
    suite: "bookworm",
    file: "opus_1.3.1.orig.tar.gz",
    sha256: "65b58e1e25b2a114157014736a3d9dfeaad8d41be1c8179866f144a2fb44ff9d",
    component: ORIG,
  },
  {
    name: "speex",
    package: "speex",
    suite: "bookworm",
    file: "speex_1.2.1.orig.tar.gz",
    sha256: "4b44d4f2b38a370a2d98a78329fefc56a0cf93d1c1be70029217baae6628feea",
    component: ORIG,
  },
  {
    name: "speexdsp",
    package: "speexdsp",
    suite: "bookworm",
    file: "speexdsp_1.2.1.orig.tar.gz",
    sha256: "8c777343e4a6399569c72abc38a95b24db56882c83dbdb6c6424a5f4aeb54d3d",
    component: ORIG,
  },
  {
    name: "srtp2",
    package: "libsrtp2",
    suite: "bookworm",
    file: "libsrtp2_2.5.0.orig.tar.gz",
    sha256: "8a43ef8e9ae2b665292591af62aa1a4ae41e468b6d98d8258f91478735da4e09",
    component: ORIG,
  },
];
