/** The sign that something takes a while: a sentence over the picture, which is said once. */

const SOON = 500; // milliseconds that need no sign

export class Work {
  #all = []; // {text, shown}, the latest last
  #places = document.querySelectorAll(".work");

  /** `say(text, {passing})` tells it to those who cannot see it. */
  constructor(say) {
    this.say = say;
  }

  /** Work has begun; call what is returned when it has ended. */
  begin(text) {
    const one = { text, shown: false };
    const timer = setTimeout(() => {
      const known = this.#all.some((other) => other.shown && other.text === text);
      one.shown = true;
      this.#show();
      if (!known) this.say(text, { passing: true });
    }, SOON);
    this.#all.push(one);
    this.#show();
    return () => {
      clearTimeout(timer);
      this.#all = this.#all.filter((other) => other !== one);
      this.#show();
    };
  }

  #show() {
    document.body.classList.toggle("busy", this.#all.length > 0);
    const latest = this.#all.findLast(({ shown }) => shown);
    for (const place of this.#places) {
      place.hidden = !latest;
      place.lastElementChild.textContent = latest?.text ?? "";
    }
  }
}
