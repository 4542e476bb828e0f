/**
 * Which hosts a provider may be told to look at. It may be in a network of its own, where others would be dangerous.
 *
 * @module
 */

import ipaddr from "ipaddr.js";

/** Endings of names that only a network of its own knows. */
const INTERNAL_NAME = /\.(local|localhost|internal|intranet|lan|home|corp|home\.arpa)$/;

/**
 * Whether a host is, by its name, inside of some network: an address that is not public, a name without a dot, or one with
 * an ending that only networks of their own have. A public name may still lead inside: only its resolver knows.
 *
 * @param hostname The host of a URL, as `URL` writes it.
 */
export function isInternal(hostname: string): boolean {
  const name = hostname.replace(/\.$/, "");
  const literal = name.replace(/^\[|\]$/g, "");
  // process() also turns an IPv4 address that is written as an IPv6 address into the former.
  if (ipaddr.isValid(literal)) return ipaddr.process(literal).range() !== "unicast";
  return !name.includes(".") || INTERNAL_NAME.test(name);
}
