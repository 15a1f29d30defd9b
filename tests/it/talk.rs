//! The order desk in the chat, through the router: what is shown, what counts as a yes, what is written and how often.

use serde_json::{Value, json};

use crate::common::TestApp;

/// A conversation over HTTP.
struct Chat<'a> {
    app: &'a TestApp,
    locale: &'a str,
    session: Option<Value>,
}

impl<'a> Chat<'a> {
    fn new(app: &'a TestApp, locale: &'a str) -> Chat<'a> {
        Chat { app, locale, session: None }
    }

    async fn say(&mut self, text: &str) -> String {
        let mut body = json!({"message": text, "locale": self.locale});
        if let Some(session) = &self.session {
            body["session_id"] = session.clone();
        }
        let reply = self.app.post("/api/v1/chat", body.to_string(), &[]).await.json();
        self.session = Some(reply["session_id"].clone());
        eprintln!("> {text}\n{}\n{}\n", reply["reply"]["text"].as_str().unwrap_or(""), reply["check"]);
        reply["reply"]["text"].as_str().unwrap_or_else(|| panic!("{reply}")).to_string()
    }
}

#[tokio::test]
async fn look() {
    let app = TestApp::new().await;
    for (locale, lines) in [
        ("ru", vec!["Здравствуйте, отмените заказ TT-10454", "+7 900 000-01-22", "сколько стоит чайник «Волна» 1,7 л?", "да, отменяйте", "отмените заказ TT-10454"]),
        ("sk", vec!["chcem zrušiť objednávku", "TT-10452", "martin.balog@example.sk", "áno", ]),
        ("zh", vec!["取消订单TT-10456", "+8613800000133", "好的"]),
        ("en", vec!["cancel my order TT-10458", "laura.fischer@example.com", "no, leave it"]),
        ("en", vec!["cancel my order TT-10448, emily.carter@example.com"]),
        ("sk", vec!["chcem vrátiť tovar z objednávky TT-10436", "ondrej.polak@example.sk", "poháre", "áno, zaevidujte vrátenie"]),
        ("sk", vec!["chcem vrátiť kávu z objednávky TT-10436, ondrej.polak@example.sk"]),
        ("ru", vec!["хочу вернуть товар из заказа TT-10427, телефон +79000000134", "термобельё", "а носки?"]),
        ("ru", vec!["хочу обменять кроссовки из заказа TT-10409 на другой размер", "d.kuznetsov@example.ru"]),
        ("en", vec!["please change the address of order TT-10455", "petra.novotna@example.cz", "5 High Street, Brno, 602 00", "yes please"]),
    ] {
        eprintln!("=========== {locale}");
        let mut chat = Chat::new(&app, locale);
        for line in lines {
            chat.say(line).await;
        }
    }
}
