//! The decision a third time, by Cedar: each grant is a policy, and what is asked is in the context.
//!
//! Cedar's own `like`, `contains`, `isInRange` and `has` do the work, and its rule that `forbid` wins. What a place's
//! clocks show is told it, since it has no time zones.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr};

use cedar_policy::{Authorizer, Context, Decision, Entities, PolicySet, Request, RestrictedExpression};
use jiff::{Timestamp, tz::TimeZone};

use crate::cases::{
    question::{Question, Thing},
    world::{Grant, Hours, Scope, Selector, Tags, Tenant, Test, World},
};

/// A world's grants, as policies.
pub(crate) struct Policies {
    authorizer: Authorizer,
    policies: PolicySet,
}

impl Policies {
    pub(crate) fn of(world: &World) -> Self {
        let mut text = String::new();
        for tenant in &world.tenants {
            for grant in &tenant.grants {
                text.push_str(&policy(tenant, grant));
            }
        }
        for (number, scope) in world.scopes.iter().enumerate() {
            let inside = inside(scope);
            writeln!(
                text,
                "forbid(principal, action, resource) when {{ context.scopes.contains({number}) && !({inside}) }};"
            )
            .unwrap();
        }
        Self {
            authorizer: Authorizer::new(),
            policies: text.parse().unwrap_or_else(|error| panic!("{error}\n{text}")),
        }
    }

    pub(crate) fn allow(&self, world: &World, question: &Question, thing: &Thing) -> bool {
        let uid = |text: &str| text.parse().unwrap();
        let context = Context::from_pairs(facts(world, question, thing)).unwrap();
        let (who, does, what) = (
            uid(r#"Who::"asks""#),
            uid(r#"Does::"it""#),
            uid(r#"What::"thing""#),
        );
        let request = Request::new(who, does, what, context, None).unwrap();
        let told = self
            .authorizer
            .is_authorized(&request, &self.policies, &Entities::empty());
        let errors: Vec<String> = told.diagnostics().errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        told.decision() == Decision::Allow
    }
}

// --- Policies ---

fn policy(tenant: &Tenant, grant: &Grant) -> String {
    let effect = match grant.denies {
        true => "forbid",
        false => "permit",
    };
    let conditions = [
        format!("context.tenant == {:?}", tenant.name),
        format!("context.subjects.contains({:?})", grant.subject),
        any(actions(tenant, &grant.role)
            .iter()
            .map(|one| format!("context.action like {one:?}"))),
        selected(&grant.selector),
        or_all(&grant.methods, |rule| match rule.split_once(':') {
            None => format!("context.method == {rule:?}"),
            Some((method, issuer)) => format!(
                "(context.method == {method:?} && context has issuer && context.issuer == {issuer:?})"
            ),
        }),
        or_all(&grant.token_age.into_iter().collect::<Vec<_>>(), |age| {
            format!("(context has issued && context.now - context.issued < {age}000000)")
        }),
        from(&grant.networks),
        or_all(&grant.not_before.into_iter().collect::<Vec<_>>(), |from| {
            format!("context.now >= {from}")
        }),
        or_all(&grant.expires.into_iter().collect::<Vec<_>>(), |end| {
            format!("context.now < {end}")
        }),
        or_all(&grant.hours, open),
    ];
    format!(
        "{effect}(principal, action, resource) when {{ {} }};\n",
        conditions.join(" && ")
    )
}

/// Of the built-in roles what is documented of them, as far as the questions go.
fn actions(tenant: &Tenant, role: &str) -> Vec<String> {
    let built_in: &[&str] = match role {
        "admin" => &["*"],
        "developer" => &["inference.*", "models.list"],
        "viewer" | "analyst" => &["models.list"],
        own => {
            let role = tenant.roles.iter().find(|one| one.name == own).unwrap();
            return role.actions.clone();
        }
    };
    built_in.iter().map(|one| (*one).to_owned()).collect()
}

fn any(of: impl Iterator<Item = String>) -> String {
    format!("({})", of.collect::<Vec<_>>().join(" || "))
}

/// One of these, or anything where there are none.
fn or_all<T>(of: &[T], one: impl Fn(&T) -> String) -> String {
    match of {
        [] => "true".to_owned(),
        some => any(some.iter().map(one)),
    }
}

fn selected(selector: &Selector) -> String {
    let named = or_all(&selector.resources, |(kind, pattern)| {
        format!("(context.kind == {kind:?} && context.name like {pattern:?})")
    });
    let family = or_all(&selector.families, |family| {
        format!("(context has family && context.family == {family:?})")
    });
    let environment = selector
        .environment
        .iter()
        .map(|test| passes(test, "context", "environment"));
    let tags = selector
        .tags
        .iter()
        .map(|(key, test)| passes(test, "context.tags", key));
    let same = selector.match_tags.iter().map(|key| {
        format!(
            "(context.own has {key:?} && context.tags has {key:?} && context.own[{key:?}] == context.tags[{key:?}])"
        )
    });
    let parts = [named, family]
        .into_iter()
        .chain(environment)
        .chain(tags)
        .chain(same);
    parts.collect::<Vec<_>>().join(" && ")
}

fn passes(test: &Test, of: &str, key: &str) -> String {
    let among = format!("({of} has {key:?} && {:?}.contains({of}[{key:?}]))", test.values);
    match test.one_of {
        true => among,
        false => format!("!{among}"),
    }
}

fn from(networks: &[String]) -> String {
    or_all(networks, |network| {
        format!("(context has client && context.client.isInRange(ip({network:?})))")
    })
}

fn open(hours: &Hours) -> String {
    let clock = format!("context.clocks[{:?}]", hours.zone);
    let days = |shift: usize| {
        let on = (0..7).filter(|day| hours.days[*day]);
        format!("{:?}", on.map(|day| (day + shift) % 7).collect::<Vec<_>>())
    };
    let (from, until) = (hours.from, hours.until);
    let today = format!("{}.contains({clock}.day) && {clock}.minute >= {from}", days(0));
    match from < until {
        true => format!("({today} && {clock}.minute < {until})"),
        false => format!(
            "(({today}) || ({}.contains({clock}.day) && {clock}.minute < {until}))",
            days(1)
        ),
    }
}

fn inside(scope: &Scope) -> String {
    let parts = [
        or_all(&scope.models, |one| {
            format!("(context.kind == \"model\" && context.name like {one:?})")
        }),
        or_all(&scope.actions, |one| format!("context.action like {one:?}")),
        or_all(&scope.environments, |one| {
            format!("(context has environment && context.environment == {one:?})")
        }),
        from(&scope.networks),
    ];
    parts.join(" && ")
}

// --- Facts ---

type Fact = (String, RestrictedExpression);

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn facts(world: &World, question: &Question, thing: &Thing) -> Vec<Fact> {
    let account = world.tenant(&question.tenant).account(&question.principal);
    let known = [
        ("tenant", text(&question.tenant)),
        ("subjects", subjects(world, question)),
        ("action", text(&question.action)),
        ("kind", text(&thing.kind)),
        ("name", text(&thing.name)),
        ("tags", record(&thing.tags)),
        (
            "own",
            record(&account.map(|account| account.tags.clone()).unwrap_or_default()),
        ),
        ("method", text(&question.method)),
        ("now", RestrictedExpression::new_long(question.now)),
        ("clocks", clocks(world, question.now)),
        ("scopes", scopes(question)),
    ];
    let client = question.client.map(|client| match client {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(client, IpAddr::V4),
        IpAddr::V4(_) => client,
    });
    let perhaps = [
        ("family", thing.family.as_deref().map(text)),
        ("environment", thing.environment.as_deref().map(text)),
        ("issuer", question.issuer.as_deref().map(text)),
        ("issued", question.issued.map(RestrictedExpression::new_long)),
        (
            "client",
            client.map(|client| RestrictedExpression::new_ip(client.to_string())),
        ),
    ];
    let perhaps = perhaps
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let all = known.into_iter().chain(perhaps);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// All that a grant may name to mean whoever asks.
fn subjects(world: &World, question: &Question) -> RestrictedExpression {
    let account = world.tenant(&question.tenant).account(&question.principal);
    let (itself, teams) = match account {
        Some(account) => (Some(text(&account.principal)), &account.teams),
        None => (None, &question.joins),
    };
    let teams = teams.iter().map(|team| text(&format!("team:{team}")));
    let groups = question.groups.iter();
    let groups = groups.map(|(issuer, group)| text(&format!("group:{issuer}/{group}")));
    RestrictedExpression::new_set(itself.into_iter().chain(teams).chain(groups))
}

fn record(tags: &Tags) -> RestrictedExpression {
    let pairs = tags.iter().map(|(key, value)| (key.clone(), text(value)));
    RestrictedExpression::new_record(pairs).unwrap()
}

/// What the clocks and calendars of the places show that a grant speaks of.
fn clocks(world: &World, now: i64) -> RestrictedExpression {
    let moment = Timestamp::from_second(now.div_euclid(1_000_000)).unwrap();
    let clock = |zone: &str| {
        let shown = moment.to_zoned(TimeZone::get(zone).unwrap());
        let minute = i64::from(shown.hour()) * 60 + i64::from(shown.minute());
        let day = i64::from(shown.weekday().to_monday_zero_offset());
        let parts = [("day", day), ("minute", minute)];
        let parts = parts.map(|(name, value)| (name.to_owned(), RestrictedExpression::new_long(value)));
        RestrictedExpression::new_record(parts).unwrap()
    };
    let grants = world.tenants.iter().flat_map(|tenant| &tenant.grants);
    let zones: BTreeSet<&str> = grants
        .flat_map(|grant| &grant.hours)
        .map(|hours| hours.zone.as_str())
        .collect();
    let clocks = zones.into_iter().map(|zone| (zone.to_owned(), clock(zone)));
    RestrictedExpression::new_record(clocks).unwrap()
}

fn scopes(question: &Question) -> RestrictedExpression {
    let numbers = question.scopes.iter().flatten();
    let numbers = numbers.map(|scope| RestrictedExpression::new_long(i64::try_from(*scope).unwrap()));
    RestrictedExpression::new_set(numbers)
}
