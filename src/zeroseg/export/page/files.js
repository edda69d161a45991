/** The files of the page: each is fetched, and if one is missing or damaged, its name is said, and what to do. */

const REMEDY = "Copy all files of the page again, or export it again.";

/** The bytes of a file of a folder; `hash`: the SHA-256 that it must have, if that is known. */
export async function bytes(folder, name, hash) {
  const answer = await fetch(new URL(name, folder)).catch((error) => fault(name, "cannot be fetched", error));
  if (!answer.ok) fault(name, "is missing", answer.status);
  const content = await answer.arrayBuffer().catch((error) => fault(name, "cannot be fetched", error));
  if (hash && crypto.subtle && (await sha256(content)) !== hash) { // it is there for https and localhost
    fault(name, "is damaged, or belongs to another export", "its hash is another");
  }
  return content;
}

/** What `work` makes of a file; `what`: what is wrong with it if that fails. */
export async function made(name, work, what = "is damaged") {
  try {
    return await work();
  } catch (error) {
    return fault(name, what, error);
  }
}

/** Fail with a sentence; the reason, in the words of a library, goes to the console. */
export function fault(name, what, reason) {
  console.warn(`${name}: ${reason?.message ?? reason}`);
  throw new Error(`${name} ${what}. ${REMEDY}`);
}

/** Why a script cannot start: the first file that it imports, and these import, that is not there. */
export async function whyNot(script) {
  const names = [script];
  for (const name of names) { // which grows
    const answer = await fetch(name).catch(() => null);
    if (!answer?.ok) return `${name} is missing. ${REMEDY}`;
    const imports = [...(await answer.text()).matchAll(/^import .* from "\.\/(.+)";$/gm)];
    names.push(...imports.map(([, next]) => next).filter((next) => !names.includes(next)));
  }
  return `${script} cannot run in this browser, or is damaged. ${REMEDY}`;
}

async function sha256(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
