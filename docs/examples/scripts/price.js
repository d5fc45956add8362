// `context` holds the inputs, the results of earlier steps, and the step's own `with`.
const lines = context.lines.map((line) => ({
  sku: line.sku,
  amount: cents(line.quantity * line.price),
  currency: context.currency,
}));

result = { lines };
