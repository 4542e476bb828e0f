/**
 * Passwords that attackers try first.
 *
 * @module
 */

/** The most common passwords of at least 10 characters that are no pattern, in lower case, without digits at the end. */
export const COMMON = new Set(
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
