// xterm.js writes its styles as <style> elements and style attributes, which the site's Content
// Security Policy refuses. Here the same rules become constructed style sheets and properties,
// which are code of ours and no markup. It has to run before a terminal is opened.
const make = document.createElement.bind(document);

function sheet() {
  const rules = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, rules];
  // An element that shows nothing and stands where the <style> would.
  const element = make("template");
  Object.defineProperty(element, "textContent", { set: (text) => rules.replaceSync(text) });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== rules);
    Element.prototype.remove.call(element);
  };
  return element;
}

function span() {
  const element = make("span");
  element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, name, value);
  };
  return element;
}

document.createElement = (name, options) => {
  if (name === "style") return sheet();
  return name === "span" ? span() : make(name, options);
};
