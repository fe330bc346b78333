// In a worker of its own: finds the number that, behind the salt, has the challenge as its SHA-256 (ALTCHA, version 1).
// SHA-256 is written out (FIPS 180-4), since crypto.subtle needs https and a promise for each of fifty thousand tries.
// The salt's whole blocks are the same in every try, so they are done once.

const K = [], BEGIN = [];
for (let n = 2; K.length < 64; n++) {
  let prime = true;
  for (let by = 2; by * by <= n; by++) if (n % by === 0) prime = false;
  const fraction = (root) => ((root % 1) * 2 ** 32) | 0;
  if (prime) {
    if (BEGIN.length < 8) BEGIN.push(fraction(Math.sqrt(n)));
    K.push(fraction(Math.cbrt(n)));
  }
}
const words = new Int32Array(64);

function mix(state, bytes, at) { // one block of 64 bytes
  for (let i = 0; i < 16; i++, at += 4) words[i] = bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15], y = words[i - 2];
    words[i] = words[i - 16] + words[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K[i] + words[i] | 0;
    const two = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
    h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
  }
  return [a, b, c, d, e, f, g, h].map((value, i) => state[i] + value | 0);
}

function solve({ salt, challenge, maxNumber }) {
  const bytes = new TextEncoder().encode(salt), whole = bytes.length - bytes.length % 64, rest = bytes.length - whole;
  let begun = BEGIN;
  for (let at = 0; at < whole; at += 64) begun = mix(begun, bytes, at);
  const wanted = challenge.match(/.{8}/g).map((hex) => parseInt(hex, 16) | 0);
  const tail = new Uint8Array(128);
  for (let number = 0; number <= maxNumber; number++) {
    const digits = String(number), length = rest + digits.length, end = length < 56 ? 64 : 128;
    tail.fill(0).set(bytes.subarray(whole));
    for (let i = 0; i < digits.length; i++) tail[rest + i] = digits.charCodeAt(i);
    tail[length] = 128;
    new DataView(tail.buffer).setUint32(end - 4, (whole + length) * 8);
    let state = mix(begun, tail, 0);
    if (end === 128) state = mix(state, tail, 64);
    if (state.every((value, i) => value === wanted[i])) return number;
  }
  return -1;
}

onmessage = ({ data }) => {
  const { algorithm, challenge, salt, signature, maxNumber } = JSON.parse(data), number = solve({ salt, challenge, maxNumber });
  postMessage(number < 0 ? '' : btoa(JSON.stringify({ algorithm, challenge, number, salt, signature })));
};
