type Makers = Readonly<Record<string, () => unknown>>;

/**
 * Returns an object whose values are made when they are first used, and then kept. An agent uses few of the protocol's
 * schemas, and making all takes it 10 ms of processor time when it starts.
 */
export function whenUsed<M extends Makers>(makers: M): { readonly [Name in keyof M]: ReturnType<M[Name]> } {
  const values = {};
  for (const [name, make] of Object.entries(makers)) {
    const get = () => {
      const value = make();
      Object.defineProperty(values, name, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(values, name, { get, enumerable: true, configurable: true });
  }
  return values as { [Name in keyof M]: ReturnType<M[Name]> };
}
