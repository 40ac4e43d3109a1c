// Work on the page is done once a frame, however much came in between.

/** A hidden page gets no frames; neither does a covered one, in some browsers. */
const HIDDEN_MILLISECONDS = 250;
const COVERED_MILLISECONDS = 1000;

/**
 * A function that asks for `work` to be done in the next frame, or soon if there will be none.
 * Asked again before that, it is done once.
 * @param {() => void} work
 * @returns {() => void}
 */
export function oncePerFrame(work) {
  let frame = 0;
  let timer = 0;
  const run = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = 0;
    work();
  };
  document.addEventListener("visibilitychange", () => {
    if (timer && !document.hidden) run();
  });
  return () => {
    if (timer) return;
    frame = requestAnimationFrame(run);
    timer = setTimeout(run, document.hidden ? HIDDEN_MILLISECONDS : COVERED_MILLISECONDS);
  };
}
