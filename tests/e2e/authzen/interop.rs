//! The interop scenarios of the AuthZEN working group: a list of todos that its application guards, and the gateway before it.
//!
//! Users, roles, actions and questions are those of the scenarios for Authorization API 1.0. Who owns a todo is told in
//! the question, and is compared with the caller's own tag.

use serde_json::{Value, json};
use turnpike_tests::{dev::Dev, ground::Key};

use super::{EVALUATION, EVALUATIONS, post};

/// Somebody of the scenario, by the claim that the identity provider has for them.
struct Person {
    name: &'static str,
    claim: &'static str,
    email: &'static str,
    roles: &'static [&'static str],
}

impl Person {
    fn is(&self, role: &str) -> bool {
        self.roles.contains(&role)
    }
}

const PEOPLE: [Person; 5] = [
    Person {
        name: "rick",
        claim: "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "rick@the-citadel.com",
        roles: &["viewers", "editors", "admins", "evil-geniuses"],
    },
    Person {
        name: "morty",
        claim: "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "morty@the-citadel.com",
        roles: &["viewers", "editors"],
    },
    Person {
        name: "summer",
        claim: "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "summer@the-smiths.com",
        roles: &["viewers", "editors"],
    },
    Person {
        name: "beth",
        claim: "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "beth@the-smiths.com",
        roles: &["viewers"],
    },
    Person {
        name: "jerry",
        claim: "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "jerry@the-smiths.com",
        roles: &["viewers"],
    },
];

/// Both policies: what one may do with todos, and which methods one may use on which routes.
const RIGHTS: &str = "
roles:
- {name: asker, actions: [access.check]}
- {name: reader, actions: [can_read_user, can_read_todos]}
- {name: creator, actions: [can_create_todo]}
- {name: changer, actions: [can_update_todo, can_delete_todo]}
- {name: deleter, actions: [can_delete_todo]}
- {name: updater, actions: [can_update_todo]}
- {name: getter, actions: [GET]}
- {name: writer, actions: [POST, PUT, DELETE]}
issuers:
- name: todo
  url: https://todo.example
  verification: {discovery: {}}
  audiences: [todo]
  algorithms: [RS256]
  claim: sub
  principal: {subject: {}}
grants:
- {subject: 'virtual-account:gateway', role: asker, selector: {resources: [{kind: access, name: '*'}]}}
- {subject: 'team:viewers', role: reader}
- {subject: 'team:editors', role: creator}
- {subject: 'team:editors', role: changer, selector: {resources: [{kind: todo, name: '*'}], match_tags: [ownerID]}}
- {subject: 'team:admins', role: deleter, selector: {resources: [{kind: todo, name: '*'}]}}
- {subject: 'team:evil-geniuses', role: updater, selector: {resources: [{kind: todo, name: '*'}]}}
- {subject: 'team:viewers', role: getter, selector: {resources: [{kind: route, name: '/users/{userId}'}, {kind: route, name: /todos}]}}
- {subject: 'team:editors', role: writer, selector: {resources: [{kind: route, name: '/todos*'}]}}
";

fn policy() -> String {
    let teams = ["viewers", "editors", "admins", "evil-geniuses"].map(|team| {
        let members = PEOPLE.iter().filter(|one| one.is(team));
        let members: Vec<String> = members.map(|one| format!("user:{}", one.name)).collect();
        json!({"name": team, "members": members})
    });
    let users = PEOPLE.iter().map(|one| {
        let tags = json!({"ownerID": one.email});
        json!({"name": one.name, "email": one.email, "subjects": [format!("todo/{}", one.claim)], "tags": tags})
    });
    let (teams, users) = (json!(teams), json!(users.collect::<Vec<_>>()));
    format!("apiVersion: turnpike/v1\nteams: {teams}\nusers: {users}\n{RIGHTS}")
}

struct Scenario {
    dev: Dev,
    gateway: Key,
}

impl Scenario {
    async fn start() -> Self {
        let dev = Dev::start().await;
        let gateway = dev.application("gateway").await;
        let file = dev.folder().join("todo.yaml");
        std::fs::write(&file, policy()).unwrap();
        let file = file.display().to_string();
        dev.admin.json(&["apply", "-f", &file, "--yes", "--wait"]).await;
        Self { dev, gateway }
    }

    async fn asked(&self, path: &str, question: &Value) -> Value {
        let answer = post(&self.dev.caller(&self.gateway), path, &question.to_string()).await;
        assert_eq!(answer.status, 200, "{question}: {answer:?}");
        answer.json()
    }

    async fn assert_told(&self, who: (&str, &str), action: &str, resource: Value, expected: bool) {
        let question = json!({
            "subject": {"type": who.0, "id": who.1}, "action": {"name": action}, "resource": resource,
        });
        let told = self.asked(EVALUATION, &question).await;
        assert_eq!(told["decision"], json!(expected), "{question}: {told}");
    }
}

fn todo_of(owner: &str) -> Value {
    json!({"type": "todo", "id": "7240d0db-8ff0-41ec-98b2-34a096273b92", "properties": {"ownerID": owner}})
}

#[tokio::test]
async fn the_questions_of_the_todo_scenario_are_answered_as_it_says() {
    let scenario = Scenario::start().await;
    let [rick, morty, .., jerry] = &PEOPLE;
    for person in &PEOPLE {
        let who = ("user", person.claim);
        for email in ["beth@the-smiths.com", person.email] {
            let resource = json!({"type": "user", "id": email});
            scenario.assert_told(who, "can_read_user", resource, true).await;
        }
        let any = json!({"type": "todo", "id": "todo-1"});
        scenario
            .assert_told(who, "can_read_todos", any.clone(), true)
            .await;
        let edits = person.is("editors");
        scenario.assert_told(who, "can_create_todo", any, edits).await;
        let other = if person.name == "rick" { morty } else { rick };
        for (action, whose, expected) in [
            ("can_update_todo", person, edits),
            ("can_update_todo", other, person.is("evil-geniuses")),
            ("can_delete_todo", person, edits),
            ("can_delete_todo", other, person.is("admins")),
        ] {
            scenario
                .assert_told(who, action, todo_of(whose.email), expected)
                .await;
        }
    }
    for (person, other, expected) in [
        (rick, jerry, [true, true]),
        (morty, rick, [true, false]),
        (jerry, rick, [false, false]),
    ] {
        let question = json!({
            "subject": {"type": "user", "id": person.claim}, "action": {"name": "can_update_todo"},
            "evaluations": [{"resource": todo_of(person.email)}, {"resource": todo_of(other.email)}],
        });
        let told = scenario.asked(EVALUATIONS, &question).await;
        let decisions = [0, 1].map(|number| told["evaluations"][number]["decision"].clone());
        assert_eq!(decisions, expected.map(|one| json!(one)), "{question}: {told}");
    }
}

#[tokio::test]
async fn the_questions_of_the_gateway_scenario_are_answered_as_it_says() {
    let scenario = Scenario::start().await;
    for person in &PEOPLE {
        let edits = person.is("editors");
        for (method, route, expected) in [
            ("GET", "/users/{userId}", true),
            ("GET", "/todos", true),
            ("POST", "/todos", edits),
            ("PUT", "/todos/{todoId}", edits),
            ("DELETE", "/todos/{todoId}", edits),
        ] {
            let resource = json!({"type": "route", "id": route});
            let who = ("identity", person.claim);
            scenario.assert_told(who, method, resource, expected).await;
        }
    }
}
