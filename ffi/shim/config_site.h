/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compile-time settings of pjproject 2.17: copied to pjlib/include/pj/config_site.h before it is
 * configured. Every header guards its own default with #ifndef, so what stands here takes effect, and what
 * does not stand here is pjproject's default. Costs are for 64-bit Linux, measured with this build.
 */

/* Dual stack: IPv6 literals and sockets are part of the API. */
#define PJ_HAS_IPV6 1

/* Everything that pjproject can say reaches the log callback; the engine's logLevel decides what is kept. */
#define PJ_LOG_MAX_LEVEL 6

/* No file and line in each timer entry: 16 bytes less in each of a quarter million. */
#define PJ_TIMER_DEBUG 0

/*
 * Sockets of one ioqueue. The epoll back end makes every key in advance, 685 bytes each: 32,768 are 22 MB and
 * 22 ms once per ioqueue that pjmedia makes for itself, enough for 10,000 calls with RTP and RTCP. An ioqueue
 * of our own may have another size (pj_ioqueue_create takes the number, epoll has no limit). Only pjstun puts a
 * pj_fd_set_t of this size on its stack: 256 KiB.
 */
#define PJ_IOQUEUE_MAX_HANDLES 32768

/*
 * The endpoint's own ioqueue: listeners, and TCP and TLS connections. 16,384 are 11 MB and 11 ms at start.
 */
#define PJSIP_MAX_TRANSPORTS 16384

/*
 * The largest message received; a larger UDP datagram is cut, and there is none: 65,507 is UDP's end. Stock
 * 4000 cuts silently and goes on with the rest. It stands inline in each receive buffer: a UDP socket or a TCP
 * connection takes 72 KB (stock 11 KB); a TLS connection, with two such buffers more and OpenSSL's, takes
 * 222 KB, of which 136 KB are touched. Each outgoing message would get a buffer of this size as well:
 * tx_buffer.c prints it elsewhere and gives it a fitted one.
 */
#define PJSIP_MAX_PKT_LEN 65535

/* Bucket numbers of two hash tables, no limits: 2 x 1 MB for transactions, 0.5 MB for dialogs. */
#define PJSIP_MAX_TSX_COUNT 131071
#define PJSIP_MAX_DIALOG_COUNT 65535

/*
 * Timers that fit without growing the heap, which doubles and never gives back. 19 MB of address space, of
 * which 3 MB are touched at start. 8,000 requests a second keep 256,000 of them for 32 s.
 */
#define PJSIP_MAX_TIMER_COUNT 262144

/*
 * A URI longer than this is refused where pjsip prints it; stock 256 is less than what gateways put into a
 * Contact. It is a buffer on the stack in the digest and redirect code, and one in the receive pool for each
 * new dialog.
 */
#define PJSIP_MAX_URL_SIZE 2048

/*
 * Addresses of a target. The resolver gives one (resolver.c), and there is room for its twin of the other transport.
 * 64 bytes each in every outgoing message, which are zeroed, copied and kept for 32 seconds: stock 32 make a third of
 * what a response takes.
 */
#define PJSIP_MAX_RESOLVED_ADDRESSES 2

/* Large requests stay on the transport that was chosen. */
#define PJSIP_DONT_SWITCH_TO_TCP 1

/* Escapes are kept in a copy: the received bytes stay as they came, for the trace and for the raw body. */
#define PJSIP_UNESCAPE_IN_PLACE 0

/* Modules are registered before the poll thread starts and unregistered after it has ended: no lock needed. */
#define PJSIP_SAFE_MODULE 0

/*
 * Receive buffer of a UDP transport. The kernel's default holds 92 datagrams of 800 bytes, 4 MiB hold 3,640;
 * the kernel cuts it to net.core.rmem_max and spends it only when datagrams wait.
 */
#define PJSIP_UDP_SO_RCVBUF_SIZE (4 * 1024 * 1024)
#define PJSIP_UDP_SO_SNDBUF_SIZE (4 * 1024 * 1024)

/* Connections that wait for accept: all clients of a server come back at once after a network failure. */
#define PJSIP_TCP_TRANSPORT_BACKLOG 1024
#define PJSIP_TLS_TRANSPORT_BACKLOG 1024

/* An idle connection that we opened stays for two hours: behind a NAT it is the only way back to us. */
#define PJSIP_TRANSPORT_IDLE_TIME 7200

/*
 * SDP sizes; what is over them pjmedia drops silently, so sdp_guard.c refuses it before. Stock 32, 68 and 16
 * are less than what browsers offer. Each SDP in memory takes 2.0 KB and each of its media lines 2.4 KB (stock
 * 0.8 and 1.2); a call keeps some six of them, which makes 14 KB more a call.
 */
#define PJMEDIA_MAX_SDP_FMT 48
#define PJMEDIA_MAX_SDP_ATTR 192
#define PJMEDIA_MAX_SDP_MEDIA 32

/* No b=TIAS in our SDP: nobody reads it, and it makes every answer differ from what the application wrote. */
#define PJMEDIA_ADD_BANDWIDTH_TIAS_IN_SDP 0

/* telephone-event gets the payload type that everybody else uses. */
#define PJMEDIA_RTP_PT_TELEPHONE_EVENTS 101

/*
 * While nothing is said an empty RTP packet goes out every 5 seconds and keeps the NAT open, in place of a
 * silent frame in the middle of a pause. The codecs do not suspend their silence detection at the start.
 */
#define PJMEDIA_STREAM_ENABLE_KA PJMEDIA_STREAM_KA_EMPTY_RTP
#define PJMEDIA_CODEC_MAX_SILENCE_PERIOD (-1)
#define PJMEDIA_STREAM_VAD_SUSPEND_MSEC 0

/* SRTP with SDES and DTLS keys. libsrtp is built with OpenSSL, so the 256 bit and GCM suites work. */
#define PJMEDIA_HAS_SRTP 1
#define PJMEDIA_SRTP_HAS_SDES 1
#define PJMEDIA_SRTP_HAS_DTLS 1
#define PJMEDIA_SRTP_HAS_AES_CM_256 1
#define PJMEDIA_SRTP_HAS_AES_GCM_128 1
#define PJMEDIA_SRTP_HAS_AES_GCM_256 1
/* libsrtp 2.5 dropped the suffix from the names that pjmedia's table of suites refers to. */
#define srtp_aes_gcm_128_openssl srtp_aes_gcm_128
#define srtp_aes_gcm_256_openssl srtp_aes_gcm_256

/*
 * ICE candidates of each side, for RTP and RTCP together, and ours for one of them; what comes later in the list is not
 * looked at. Stock 16 and 8 lose the relays, which come last, of a machine with a VPN and some virtual networks.
 */
#define PJ_ICE_MAX_CAND 64
#define PJ_ICE_ST_MAX_CAND 16

/*
 * ICE pairs to check: two address families, a VPN and a TURN server pass stock 32 at once. With the candidates above
 * 80 KB for each stream with ICE (stock 11 KB), nothing for others.
 */
#define PJ_ICE_MAX_CHECKS 256
