import { ROLES, type Role } from '../discovery/discovery.ts';

/** Collects the values of the roles that have one. */
export function perRole<T>(of: (role: Role) => T | undefined): Partial<Record<Role, T>> {
  const set: Partial<Record<Role, T>> = {};
  for (const role of ROLES) {
    const value = of(role);
    if (value !== undefined) set[role] = value;
  }
  return set;
}
