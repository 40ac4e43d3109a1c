// The panels beside the talk: people and search, one at a time. Esc closes, and the focus returns.

export class Panels {
  /**
   * @param {{panel: HTMLElement, button: HTMLButtonElement, opened: () => void}[]} panels
   * @param {() => void} closed where the focus goes if the button had no part in it
   */
  constructor(panels, closed) {
    this.panels = panels;
    this.closed = closed;
    for (const { panel, button } of panels) {
      button.addEventListener("click", () => this.toggle(panel));
      panel.querySelector(".close").addEventListener("click", () => this.close(panel));
      panel.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.close(panel);
      });
    }
  }

  /** @param {HTMLElement} panel */
  toggle(panel) {
    if (panel.hidden) this.open(panel);
    else this.close(panel);
  }

  /** @param {HTMLElement} wanted */
  open(wanted) {
    for (const { panel, button, opened } of this.panels) {
      panel.hidden = panel !== wanted;
      button.setAttribute("aria-expanded", String(!panel.hidden));
      if (!panel.hidden) opened();
    }
  }

  /** @param {HTMLElement} panel */
  close(panel) {
    const hadFocus = panel.contains(document.activeElement);
    panel.hidden = true;
    for (const one of this.panels) {
      if (one.panel === panel) one.button.setAttribute("aria-expanded", "false");
    }
    if (hadFocus) this.closed();
  }
}
