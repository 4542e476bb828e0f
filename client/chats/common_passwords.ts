/**
 * Passwords that attackers try first.
 *
 * @module
 */

/** The most common passwords of at least 10 characters that are no pattern, in lower case, without digits at the end. */
const COMMON = new Set(
  ("password passwort passw0rd p@ssword p@ssw0rd qwerty qwertyuiop qwertzuiop azertyuiop asdfghjkl " +
    "asdfghjklm zxcvbnm qazwsxedc qazwsx 1qaz2wsx3edc 1q2w3e4r5t 1q2w3e4r5t6y 1qazxsw23edc " +
    "letmein letmeinnow iloveyou iloveyouso welcome welcomehome administrator admin sunshine " +
    "princess football baseball basketball superman batman starwars trustno chocolate liverpool " +
    "manchester chelsea arsenal michael jennifer charlie jordan michelle computer internet " +
    "whatever butterfly elizabeth alexander christopher mypassword yourpassword password! " +
    "changeme changemenow secret supersecret topsecret default master dragon monkey shadow " +
    "hello helloworld correcthorsebatterystaple abcdefg abc a1b2c3d4e5 zaq12wsx qwerty12345qwerty")
    .split(" "),
);

/** A password with fewer different characters is a pattern, such as `aaaaaaaaaa`. */
const MIN_DIFFERENT = 5;

/**
 * Tells what is wrong with a password that attackers try first; undefined if they do not.
 *
 * @param characters of the password
 */
export function findFault(characters: string[]): string | undefined {
  const text = characters.join("").toLowerCase().replace(/[^\p{L}\p{N}@!]/gu, "");
  const [half, rest] = [text.slice(0, text.length / 2), text.slice(text.length / 2)];
  const stem = (word: string) => word.replace(/[\d!]+$/, "");
  const guessed = [text, half === rest ? half : text].some((word) =>
    COMMON.has(word) || COMMON.has(stem(word))
  );
  return guessed || new Set(characters).size < MIN_DIFFERENT || isSequence(characters)
    ? "The password is among the first that attackers try: choose another one"
    : undefined;
}

/** Whether all characters follow each other, such as `1234567890` or `jihgfedcba`. */
function isSequence(characters: string[]): boolean {
  const steps = characters.slice(1).map((character, index) =>
    character.codePointAt(0)! - characters[index]!.codePointAt(0)! // none is empty
  );
  const [first] = steps;
  // Only 0 comes after 9.
  return Math.abs(first ?? 0) === 1 &&
    steps.every((step) => step === first || Math.abs(step) === 9);
}
