//! One grant in several pieces, and one role in two.

use crate::cases::{
    random::Random,
    world::{Grant, Role, Tenant, World},
};

/// Every grant split by one of the lists of which any one part will do, and every role by its actions.
pub(super) fn split(random: &mut Random, world: &World) -> World {
    let mut world = world.clone();
    for tenant in &mut world.tenants {
        by_role(random, tenant);
        let grants = std::mem::take(&mut tenant.grants);
        tenant.grants = grants
            .into_iter()
            .flat_map(|grant| by_list(random, grant))
            .collect();
    }
    world
}

fn by_list(random: &mut Random, grant: Grant) -> Vec<Grant> {
    let parts = match random.below(5) {
        0 => parts(&grant, &grant.selector.resources.clone(), |one, part| {
            one.selector.resources = part
        }),
        1 => parts(&grant, &grant.selector.families.clone(), |one, part| {
            one.selector.families = part
        }),
        2 => parts(&grant, &grant.methods.clone(), |one, part| one.methods = part),
        3 => parts(&grant, &grant.networks.clone(), |one, part| one.networks = part),
        _ => parts(&grant, &grant.hours.clone(), |one, part| one.hours = part),
    };
    let number = |part: Grant| Grant {
        number: u128::from(random.next()),
        ..part
    };
    parts.into_iter().map(number).collect()
}

fn parts<T: Clone>(grant: &Grant, list: &[T], put: impl Fn(&mut Grant, Vec<T>)) -> Vec<Grant> {
    if list.is_empty() {
        return vec![grant.clone()];
    }
    let part = |one: &T| {
        let mut part = grant.clone();
        put(&mut part, vec![one.clone()]);
        part
    };
    list.iter().map(part).collect()
}

/// The actions of a role of the tenant's own go to roles of one action each, and its grants are made for each of these.
fn by_role(random: &mut Random, tenant: &mut Tenant) {
    let whole = std::mem::take(&mut tenant.roles);
    let mut grants = Vec::new();
    for role in whole {
        for (place, action) in role.actions.iter().enumerate() {
            let name = format!("{}-{place}", role.name);
            let of_role = tenant.grants.iter().filter(|grant| grant.role == role.name);
            grants.extend(of_role.map(|grant| Grant {
                number: u128::from(random.next()),
                role: name.clone(),
                ..grant.clone()
            }));
            tenant.roles.push(Role {
                name,
                actions: vec![action.clone()],
            });
        }
        tenant.grants.retain(|grant| grant.role != role.name);
    }
    tenant.grants.extend(grants);
}
