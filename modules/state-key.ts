/** By name, so that two stacks never share a state, which would have one destroy the other. */
export const stateKey = (name: string, key?: string): string => key ?? `${name}.tfstate`;
