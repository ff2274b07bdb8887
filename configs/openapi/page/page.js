"use strict";
// Draws /docs/openapi.json. Every text goes in as text, never as markup.

const methods = ["get", "post", "put", "patch", "delete"];
const root = document.documentElement;

function make(name, options = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "class") element.className = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text with `code` in it. */
function prose(text) {
  return (text || "").split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

// -- Light and dark

const preferred = matchMedia("(prefers-color-scheme: dark)");
const paint = () => {
  let chosen = null;
  try { chosen = localStorage.getItem("authms-docs-theme"); } catch { /* storage is off: the system's choice */ }
  root.dataset.theme = chosen || (preferred.matches ? "dark" : "light");
};
paint();
preferred.addEventListener("change", paint);
document.getElementById("theme").addEventListener("click", () => {
  const next = root.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("authms-docs-theme", next); } catch { /* not remembered */ }
  root.dataset.theme = next;
});

// -- Schemas

function resolve(document_, value) {
  for (let depth = 0; value && value.$ref && depth < 16; depth += 1) {
    value = value.$ref.slice(2).split("/").reduce((node, key) => node && node[key], document_);
  }
  return value || {};
}

/** All of allOf as one. */
function merged(document_, schema) {
  schema = resolve(document_, schema);
  if (!schema.allOf) return schema;
  return schema.allOf.map((part) => merged(document_, part)).reduce(
    (all, part) => ({
      ...all, ...part, properties: { ...all.properties, ...part.properties },
      required: [...(all.required || []), ...(part.required || [])],
    }), { ...schema, allOf: undefined });
}

function kind(document_, schema) {
  schema = merged(document_, schema);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [].concat(schema.type || (schema.properties ? "object" : "any"));
  return types.map((type) => {
    if (type === "array") return `array of ${kind(document_, schema.items || {})}`;
    return type === "string" && schema.format ? schema.format : type;
  }).join(" | ");
}

function limits(schema) {
  const names = { minimum: "≥", maximum: "≤", minLength: "length ≥", maxLength: "length ≤", maxProperties: "members ≤", maxItems: "items ≤" };
  const said = Object.entries(names).filter(([key]) => key in schema).map(([key, sign]) => `${sign} ${schema[key]}`);
  if ("default" in schema) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.join(", ");
}

/** Rows of a table: the members of an object, and theirs. */
function rows(document_, schema, prefix = "", depth = 0) {
  schema = merged(document_, schema);
  if (schema.type === "array" && schema.items) return rows(document_, schema.items, `${prefix}[]`, depth);
  if (!schema.properties || depth > 4) return [];
  return Object.entries(schema.properties).flatMap(([name, member]) => {
    const inner = merged(document_, member);
    const path = prefix ? `${prefix}.${name}` : name;
    const needed = (schema.required || []).includes(name);
    return [
      make("tr", {}, make("td", {}, make("code", {}, path)), make("td", {}, kind(document_, member)),
        make("td", {}, needed ? "always" : ""), make("td", {}, ...prose(inner.description), inner.description ? " " : "", limits(inner))),
      ...rows(document_, member, path, depth + 1),
    ];
  });
}

function schemaTable(document_, schema) {
  const found = rows(document_, schema);
  if (!found.length) return make("p", {}, kind(document_, schema), " ", ...prose(merged(document_, schema).description));
  const head = make("tr", {}, ...["member", "type", "present", ""].map((text) => make("th", {}, text)));
  const about = merged(document_, schema).description;
  return make("div", {}, about ? make("p", {}, ...prose(about)) : null,
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...found)));
}

function example(document_, schema, depth = 0) {
  schema = merged(document_, schema);
  if ("const" in schema) return schema.const;
  if (schema.examples) return schema.examples[0];
  if ("default" in schema) return schema.default;
  if (schema.enum) return schema.enum[0];
  const type = [].concat(schema.type || "object")[0];
  if (type === "array") return [];
  if (type === "object") {
    if (depth > 3) return {};
    const needed = (schema.required || []).length ? schema.required : Object.keys(schema.properties || {});
    return Object.fromEntries(needed.map((name) => [name, example(document_, (schema.properties || {})[name] || {}, depth + 1)]));
  }
  if (type === "integer" || type === "number") return schema.minimum || 0;
  return type === "boolean" ? true : schema.format === "uuid" ? "01900000-0000-7000-8000-000000000001" : "…";
}

// -- Operations

function curl(document_, path, method, operation, open) {
  const body = operation.requestBody && operation.requestBody.content["application/json"];
  const parts = [`curl -X ${method.toUpperCase()} '${location.origin}${path}'`];
  if (!open) parts.push("-H \"Authorization: Bearer $TOKEN\"");
  if (body) parts.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(example(document_, body.schema))}'`);
  return parts.join(" \\\n  ");
}

function inside(document_, path, method, operation, shared, open) {
  const box = make("div", { class: "inside" });
  if (operation.description) box.append(make("p", {}, ...prose(operation.description)));
  const parameters = [...shared, ...(operation.parameters || [])].map((parameter) => resolve(document_, parameter));
  if (parameters.length) {
    box.append(make("h4", {}, "Parameters"), make("table", {}, make("tbody", {}, ...parameters.map((parameter) =>
      make("tr", {}, make("td", {}, make("code", {}, parameter.name)), make("td", {}, parameter.in),
        make("td", {}, kind(document_, parameter.schema)), make("td", {}, parameter.required ? "always" : ""),
        make("td", {}, ...prose(parameter.description), parameter.description ? " " : "", limits(resolve(document_, parameter.schema))))))));
  }
  for (const [type, content] of Object.entries((operation.requestBody || {}).content || {})) {
    box.append(make("h4", {}, `Body, ${type}`), schemaTable(document_, content.schema));
  }
  box.append(make("h4", {}, "Try it"), make("pre", {}, curl(document_, path, method, operation, open)));
  const answers = Object.entries(operation.responses || {}).map(([status, response]) => [status, resolve(document_, response)]);
  for (const [status, response] of answers.filter(([status]) => status < 300)) {
    for (const [type, content] of Object.entries(response.content || {})) {
      box.append(make("h4", {}, `${status}, ${type}`), schemaTable(document_, content.schema));
    }
    if (!response.content) box.append(make("h4", {}, status), make("p", {}, ...prose(response.description)));
  }
  const failures = answers.filter(([status]) => status >= 300);
  if (failures.length) {
    box.append(make("h4", {}, "Failures"), make("table", {}, make("tbody", {}, ...failures.map(([status, response]) =>
      make("tr", {}, make("td", { class: "status" }, status),
        make("td", {}, ...(response.description || "").split("\n\n").map((line) => make("div", {}, ...prose(line)))))))));
  }
  return box;
}

function card(document_, path, method, item) {
  const operation = item[method];
  const security = operation.security || document_.security || [];
  const open = security.length === 0 || security.some((option) => Object.keys(option).length === 0);
  const permission = operation["x-permission"];
  const id = `${method}${path}`.replace(/[^A-Za-z0-9]+/g, "-");
  const shown = path.split(/(\{[^}]*\})/).map((part) => (part.startsWith("{") ? make("i", {}, part) : part));
  const details = make("details", { class: "operation", id }, make("summary", {},
    make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", { class: "path" }, ...shown),
    make("span", { class: "needs" }, permission || (open ? "public" : "token")),
    make("span", { class: "summary" }, operation.summary || "")));
  // Drawn when it is opened: most never are.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      details.append(inside(document_, path, method, operation, item.parameters || [], open));
    }
  });
  const errors = Object.values(operation.responses || {}).map((response) => resolve(document_, response).description || "");
  details.searchText = [method, path, operation.summary, operation.description, permission, open ? "public" : "",
    ...(operation.tags || []), ...errors].join(" ").toLowerCase();
  return details;
}

function errorTable(document_) {
  const lines = document_.info.description.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| code"));
  const cells = lines.map((line) => line.slice(2, -2).split(" | "));
  const head = make("tr", {}, ...["code", "error", "status", "message"].map((text) => make("th", {}, text)));
  return make("section", { id: "errors" }, make("h2", {}, "Errors"),
    make("p", { class: "about" }, ...prose("Every failure has one body: `code`, `error`, `message`, `request_id`, `violations`. The first two never change.")),
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...cells.map((row) =>
      make("tr", {}, ...row.map((cell) => make("td", {}, ...prose(cell))))))));
}

function draw(document_) {
  const groups = new Map();
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const method of methods.filter((name) => item[name])) {
      const [service, tag = ""] = item[method].tags || ["other"];
      if (!groups.has(service)) groups.set(service, new Map());
      const tags = groups.get(service);
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push(card(document_, path, method, item));
    }
  }
  const main = document.getElementById("operations");
  const contents = document.getElementById("contents");
  const abouts = Object.fromEntries(document_.info.description.split("\n\n")
    .map((line) => /^\*\*(\w+)\*\*: (.*)$/.exec(line)).filter(Boolean).map(([, name, text]) => [name, text]));
  main.replaceChildren();
  for (const service of [...groups.keys()].sort((a, b) => (a === "gateway") - (b === "gateway") || order(a) - order(b))) {
    const section = make("section", { id: service }, make("h2", {}, service), make("p", { class: "about" }, abouts[service] || ""));
    contents.append(make("a", { href: `#${service}`, class: "service" }, service));
    for (const [tag, cards] of [...groups.get(service)].sort(([a], [b]) => late(a) - late(b))) {
      const id = `${service}-${tag}`.replace(/\W+/g, "-");
      section.append(make("section", { id, class: "group" }, tag ? make("h3", {}, tag) : null, ...cards));
      if (tag) contents.append(make("a", { href: `#${id}`, class: "tag" }, tag));
    }
    main.append(section);
  }
  main.append(errorTable(document_), make("p", { class: "nothing", hidden: "" }, "Nothing matches."));
  contents.append(make("a", { href: "#errors", class: "service" }, "Errors"));
  reveal();
}

// What most come for is first.
const late = (tag) => ["Administration", "Documents"].indexOf(tag);

const order = (service) => ["identity", "session", "mfa", "profile", "audit"].indexOf(service) + 1 || 9;

// -- Search and links

function search() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const cards = [...document.querySelectorAll("details.operation")];
  let count = 0;
  for (const one of cards) {
    one.hidden = !words.every((word) => one.searchText.includes(word));
    if (!one.hidden) count += 1;
  }
  for (const group of document.querySelectorAll("section.group, main > section")) {
    const inner = group.querySelectorAll("details.operation");
    group.hidden = inner.length ? [...inner].every((one) => one.hidden) : words.length > 0;
  }
  document.querySelector(".nothing").hidden = count > 0;
  document.getElementById("count").textContent = `${count} of ${cards.length} operations`;
}

function reveal() {
  search();
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
}

document.getElementById("search").addEventListener("input", search);
addEventListener("hashchange", reveal);
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement.tagName !== "INPUT") {
    event.preventDefault();
    document.getElementById("search").focus();
  }
});
document.addEventListener("click", (event) => {
  const summary = event.target.closest("details.operation > summary");
  if (summary && !summary.parentElement.open) history.replaceState(null, "", `#${summary.parentElement.id}`);
});

fetch("/docs/openapi.json").then((answer) => {
  if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
  return answer.json();
}).then(draw).catch((error) => {
  document.getElementById("operations").replaceChildren(make("p", { class: "nothing" }, `The document cannot be shown: ${error.message}.`));
});
