// API reference: renders the OpenAPI document of this API, and sends requests to it.

const METHODS = ["get", "post", "put", "patch", "delete", "head"];
const KEY_STORE = "framegate-api-key";
const EXAMPLE_DEPTH_MAX = 6;
const BODY_CHARS_MAX = 100_000;

/** Return a new element with attributes and children; texts are never parsed as HTML. */
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

/** Return a text with `code` between backquotes as elements. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

class Schemas {
  constructor(document) {
    this.all = document.components?.schemas ?? {};
  }

  /** Return a schema without its reference, and with the members of `allOf` merged. */
  resolve(schema) {
    let resolved = schema ?? {};
    for (let hops = 0; resolved.$ref && hops < 10; hops += 1) {
      const { $ref, ...rest } = resolved;
      resolved = { ...this.all[decodeURIComponent($ref.split("/").pop())], ...rest };
    }
    if (resolved.allOf?.length === 1) return this.resolve({ ...resolved.allOf[0], ...resolved, allOf: undefined });
    return resolved;
  }

  /** Return the members of a union without null. */
  members(schema) {
    return (schema.anyOf ?? schema.oneOf ?? []).map((member) => this.resolve(member)).filter((one) => one.type !== "null");
  }

  /** Return the name of a type in words. */
  typeOf(given) {
    const schema = this.resolve(given);
    const members = this.members(schema);
    if (members.length) return [...new Set(members.map((member) => this.typeOf(member)))].join(" or ");
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
    if (schema.type === "array") return `list of ${this.typeOf(schema.items)}`;
    if (schema.type === "object" || schema.properties) return schema.title ?? "object";
    return schema.format ? `${schema.type} (${schema.format})` : [schema.type ?? "any"].flat().join(" or ");
  }

  /** Return the limits of a schema in words. */
  rules(given) {
    const schema = this.resolve(given);
    const inner = this.members(schema);
    const source = inner.length === 1 ? { ...inner[0], ...schema } : schema;
    const words = [
      ["minimum", "at least "], ["maximum", "at most "], ["exclusiveMinimum", "above "], ["exclusiveMaximum", "below "],
      ["minLength", "min. characters "], ["maxLength", "max. characters "], ["minItems", "min. items "], ["maxItems", "max. items "],
      ["pattern", "pattern "],
    ];
    const rules = words.filter(([key]) => source[key] !== undefined).map(([key, text]) => text + source[key]);
    if (schema.default !== undefined && schema.default !== null) rules.push(`default ${JSON.stringify(schema.default)}`);
    return rules.join(", ");
  }

  /** Return an example value: the schema's own, else one made of its required fields. */
  example(given, depth = 0) {
    const schema = this.resolve(given);
    if (schema.example !== undefined) return schema.example;
    if (schema.examples?.length) return schema.examples[0];
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    if (schema.default !== undefined && schema.default !== null) return schema.default;
    const [member] = this.members(schema);
    if (member) return this.example(member, depth);
    if (depth > EXAMPLE_DEPTH_MAX) return null;
    if (schema.type === "array") return schema.minItems ? [this.example(schema.items, depth + 1)] : [];
    if (schema.properties) {
      const names = Object.keys(schema.properties).filter((name) => (schema.required ?? []).includes(name));
      const chosen = names.length || depth ? names : Object.keys(schema.properties).slice(0, 2);
      return Object.fromEntries(chosen.map((name) => [name, this.example(schema.properties[name], depth + 1)]));
    }
    if (schema.type === "object") return {};
    if (schema.type === "integer" || schema.type === "number") return schema.minimum ?? 1;
    if (schema.type === "boolean") return true;
    return "text";
  }

  /** Return the fields of a schema as a list, objects inside as closed details. */
  fields(given, seen = []) {
    const schema = this.resolve(given);
    const members = this.members(schema);
    if (!schema.properties && members.length) {
      const shown = members.filter((member) => member.properties || member.type === "array");
      return shown.flatMap((member) => [
        shown.length > 1 ? element("p", { class: "variant" }, member.title ?? this.typeOf(member)) : null,
        this.fields(member, seen),
      ]);
    }
    if (schema.type === "array") return this.fields(schema.items, seen);
    if (!schema.properties || seen.includes(schema.title)) return null;
    const path = [...seen, schema.title].filter(Boolean);
    const rows = Object.entries(schema.properties).map(([name, field]) => {
      const isRequired = (schema.required ?? []).includes(name);
      const inner = this.fields(field, path);
      const rules = this.rules(field);
      const hasInner = inner && [inner].flat().some(Boolean);
      return element(
        "li", {},
        element("code", { class: "name" }, name), " ",
        element("span", { class: "type" }, this.typeOf(field)), " ",
        isRequired ? element("strong", { class: "required" }, "required") : null,
        element("div", { class: "text" }, ...prose(this.resolve(field).description), rules ? ` (${rules})` : ""),
        hasInner ? element("details", {}, element("summary", {}, `Fields of ${name}`), inner) : null,
      );
    });
    return element("ul", { class: "fields" }, rows);
  }
}

/** Return the id of an operation in the page. */
function anchor(method, path) {
  return `${method}-${path}`.replaceAll(/[^a-zA-Z0-9]+/g, "-").replace(/-$/, "").toLowerCase();
}

function keyHeaders(scheme, key) {
  if (!key) return {};
  if (scheme?.type === "http") return { Authorization: `Bearer ${key}` };
  return { [scheme?.name ?? "Authorization"]: scheme?.description?.includes("Key KEY") ? `Key ${key}` : key };
}

/** Return the form that sends a request, and shows the response. */
function tryIt(reference, method, path, operation, parameters) {
  const { schemas, scheme, base } = reference;
  const id = anchor(method, path);
  const inputs = parameters.map((parameter) => {
    const field = element("input", { id: `${id}-${parameter.name}`, autocomplete: "off", spellcheck: "false" });
    return { parameter, field };
  });
  const json = operation.requestBody?.content?.["application/json"];
  const sample = json ? (json.example ?? schemas.example(json.schema)) : undefined;
  const body = json ? element("textarea", { id: `${id}-body`, rows: 10, spellcheck: "false" }) : null;
  if (body) body.value = JSON.stringify(sample, null, 2);
  const file = operation.requestBody && !json ? element("input", { id: `${id}-file`, type: "file" }) : null;
  const output = element("div", { class: "response", role: "status", "aria-live": "polite" });

  async function send(event) {
    event.preventDefault();
    output.replaceChildren("Sending …");
    const query = new URLSearchParams();
    const headers = keyHeaders(scheme, document.getElementById("api-key")?.value.trim());
    let target = path;
    for (const { parameter, field } of inputs) {
      if (!field.value) continue;
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
      else if (parameter.in === "query") query.append(parameter.name, field.value);
      else headers[parameter.name] = field.value;
    }
    if (body) headers["Content-Type"] = "application/json";
    const url = base + target + (query.size ? `?${query}` : "");
    try {
      const began = performance.now();
      const response = await fetch(url, { method: method.toUpperCase(), headers, body: body?.value ?? file?.files?.[0] });
      const kind = response.headers.get("content-type") ?? "";
      const isText = /json|text/.test(kind);
      let text = isText ? await response.text() : `${kind || "no body"}, ${(await response.blob()).size} bytes`;
      try {
        text = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // It is no JSON.
      }
      const line = `${response.status} ${response.statusText}, ${Math.round(performance.now() - began)} ms`;
      const state = response.ok ? "ok" : "failed";
      output.replaceChildren(
        element("p", { class: state }, line),
        element("pre", { tabindex: "0", "aria-label": "Body of the response" }, text.slice(0, BODY_CHARS_MAX)),
      );
    } catch (error) {
      output.replaceChildren(element("p", { class: "failed" }, `The request could not be sent: ${error.message}`));
    }
  }

  return element(
    "details", { class: "try" },
    element("summary", {}, "Try it"),
    element(
      "form", { onsubmit: send },
      inputs.map(({ parameter, field }) =>
        element("div", { class: "field" }, element("label", { for: field.id }, `${parameter.name} (${parameter.in})`), field)),
      body ? element("div", { class: "field" }, element("label", { for: body.id }, "Body"), body) : null,
      file ? element("div", { class: "field" }, element("label", { for: file.id }, "File"), file) : null,
      element("button", { type: "submit" }, `Send ${method.toUpperCase()}`),
      output,
    ),
  );
}

function parameterList(schemas, parameters) {
  if (!parameters.length) return null;
  const rows = parameters.map((parameter) =>
    element(
      "li", {},
      element("code", { class: "name" }, parameter.name), " ",
      element("span", { class: "type" }, `${schemas.typeOf(parameter.schema)}, in ${parameter.in}`), " ",
      parameter.required ? element("strong", { class: "required" }, "required") : null,
      element("div", { class: "text" }, ...prose(parameter.description), " ", schemas.rules(parameter.schema)),
    ));
  return [element("h4", {}, "Parameters"), element("ul", { class: "fields" }, rows)];
}

function contentOf(schemas, content, title) {
  return Object.entries(content ?? {}).map(([kind, { schema, example }]) => {
    const sample = example ?? (kind.includes("json") && schema ? schemas.example(schema) : undefined);
    return [
      element("p", {}, `${title} `, element("code", {}, kind)),
      schema ? schemas.fields(schema) : null,
      sample !== undefined && kind.includes("json")
        ? element("details", {}, element("summary", {}, "Example"), element("pre", { tabindex: "0" }, JSON.stringify(sample, null, 2)))
        : null,
    ];
  });
}

function operationSection(reference, method, path, operation) {
  const { schemas } = reference;
  const parameters = operation.parameters ?? [];
  const responses = Object.entries(operation.responses ?? {}).map(([status, response]) =>
    element(
      "details", {},
      element("summary", {}, element("code", {}, status), " ", response.description ?? ""),
      contentOf(schemas, response.content, "Body"),
    ));
  return element(
    "section", { id: anchor(method, path), "data-text": `${method} ${path} ${operation.summary ?? ""}`.toLowerCase() },
    element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()), " ", element("code", {}, path)),
    element("p", {}, ...prose(operation.description ?? operation.summary)),
    parameterList(schemas, parameters),
    operation.requestBody ? [element("h4", {}, "Request"), contentOf(schemas, operation.requestBody.content, "Body")] : null,
    element("h4", {}, "Responses"),
    responses,
    tryIt(reference, method, path, operation, parameters),
  );
}

function keyField(scheme) {
  const input = element("input", { id: "api-key", type: "password", autocomplete: "off", placeholder: "not needed without keys" });
  input.value = sessionStorage.getItem(KEY_STORE) ?? "";
  input.addEventListener("input", () => sessionStorage.setItem(KEY_STORE, input.value));
  const where = scheme?.type === "http" ? "Authorization: Bearer KEY" : `${scheme?.name ?? "Authorization"} header`;
  return element("div", { class: "field" }, element("label", { for: "api-key" }, `API key (${where}; kept in this tab)`), input);
}

function filterField(main, navigation) {
  const input = element("input", { id: "filter", type: "search", placeholder: "Filter ( / )", "aria-label": "Filter the operations" });
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of main.querySelectorAll("section")) {
      const isShown = words.every((word) => section.dataset.text.includes(word));
      section.hidden = !isShown;
      const link = navigation.querySelector(`a[href="#${section.id}"]`);
      if (link) link.parentElement.hidden = !isShown;
    }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
    }
  });
  return input;
}

async function render() {
  const source = document.documentElement.dataset.openapi;
  const openapi = await (await fetch(source)).json();
  const schemas = new Schemas(openapi);
  const scheme = Object.values(openapi.components?.securitySchemes ?? {})[0];
  const reference = { schemas, scheme, base: source.slice(0, -"/openapi.json".length) };
  const main = element("main", { id: "operations", tabindex: "-1" });
  const links = element("ul");
  for (const [path, operations] of Object.entries(openapi.paths)) {
    for (const method of METHODS.filter((name) => operations[name])) {
      main.append(operationSection(reference, method, path, operations[method]));
      const link = element("a", { href: `#${anchor(method, path)}` }, element("span", { class: `method ${method}` }, method.toUpperCase()), " ", path);
      links.append(element("li", {}, link));
    }
  }
  const isWide = matchMedia("(min-width: 60rem)").matches;
  const navigation = element(
    "nav", { "aria-label": "Operations" },
    element("details", { open: isWide }, element("summary", {}, "Operations"), filterField(main, links), links),
  );
  const header = document.querySelector("header");
  header.append(keyField(scheme));
  document.querySelector("main").replaceWith(element("div", { class: "columns" }, navigation, main));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

render().catch((error) => {
  document.querySelector("header").append(element("p", { class: "failed", role: "alert" }, `The reference cannot be shown: ${error.message}`));
});
