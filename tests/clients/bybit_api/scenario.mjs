// A trader's day with bybit-api, a public client library for Node.js: REST, public and private streams, and the trade
// socket, in one category.
//
// Every step is one line of JSON on stdout, {"step": ..., "result": ...}. After some of them the test moves the market,
// and the next step waits for what comes of it. What fails ends the run with the error on stderr.

import { RestClientV5, WebsocketAPIClient, WebsocketClient } from 'bybit-api';

const { rest, wsPublic, wsPrivate, wsTrade, key, secret, category, symbol, qty, farPrice, bestBid } =
  JSON.parse(process.argv[2]);
const market = { category, symbol };
const order = { ...market, side: 'Buy', orderType: 'Limit', qty };

function say(step, result) {
  process.stdout.write(JSON.stringify({ step, result }) + '\n');
}

async function refused(promise) {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}

// What a websocket client is told, to be waited for; `until` takes the oldest message that fits.
class Inbox {
  messages = [];
  waiting = [];

  constructor(client) {
    client.on('update', (message) => this.put(message));
    client.on('exception', (error) => this.put({ exception: error }));
  }

  put(message) {
    this.messages.push(message);
    this.waiting = this.waiting.filter((look) => !look());
  }

  until(topic, fits = () => true) {
    return new Promise((resolve, reject) => {
      const look = () => {
        for (const [index, message] of this.messages.entries()) {
          if (message.exception) {
            reject(new Error(JSON.stringify(message.exception)));
            return true;
          }
          const rows = Array.isArray(message.data) ? message.data : [message.data];
          const row = message.topic.startsWith(topic) && rows.find(fits);
          if (row) {
            this.messages.splice(index, 1);
            resolve(row);
            return true;
          }
        }
        return false;
      };
      if (!look()) this.waiting.push(look);
    });
  }
}

// Subscribe, and wait for the venue's word on it: the client's own promise is kept before the socket is even open.
async function subscribe(client, topics) {
  const answer = new Promise((resolve) => {
    client.on('response', (message) => message.op === 'subscribe' && resolve(message));
  });
  await Promise.all(client.subscribeV5(topics, category));
  const { success, ret_msg: why } = await answer;
  if (!success) throw new Error(`${topics}: ${why}`);
}

const quiet = { trace() {}, info() {}, error() {} };
const login = { key, secret };
const http = new RestClientV5({ baseUrl: rest, key, secret });
const publicSocket = new WebsocketClient({ wsUrl: wsPublic }, quiet);
const privateSocket = new WebsocketClient({ ...login, wsUrl: wsPrivate }, quiet);
const trading = new WebsocketAPIClient({ ...login, wsUrl: wsTrade, attachEventListeners: false }, quiet);
const publicInbox = new Inbox(publicSocket);
const privateInbox = new Inbox(privateSocket);
trading.getWSClient().on('exception', () => {}); // the promise of the request fails too

say('time', await http.getServerTime());
say('markets', await http.getInstrumentsInfo({ category }));
say('book', await http.getOrderbook({ ...market, limit: 50 }));
say('ticker', await http.getTickers(market));

await subscribe(publicSocket, [`orderbook.50.${symbol}`, `publicTrade.${symbol}`, `tickers.${symbol}`]);
say('book snapshot', await publicInbox.until('orderbook'));
say('move the market', null);
say('book delta', await publicInbox.until('orderbook'));
say('trade', await publicInbox.until('publicTrade'));
say('ticker update', await publicInbox.until('tickers', (row) => Number(row.lastPrice) === Number(bestBid)));
say('recent trades', await http.getPublicTradingHistory(market));

await subscribe(privateSocket, ['order', 'execution', 'position', 'wallet']);
say('placed', await http.submitOrder({ ...order, price: farPrice, orderLinkId: 'by-rest' }));
say('order placed', await privateInbox.until('order'));
say('open orders', await http.getActiveOrders(market));
say('amended', await http.amendOrder({ ...market, orderLinkId: 'by-rest', price: String(farPrice - 1) }));
say('order amended', await privateInbox.until('order'));
say('cancelled', await http.cancelOrder({ ...market, orderLinkId: 'by-rest' }));
say('order cancelled', await privateInbox.until('order'));

say('ws placed', await trading.submitNewOrder({ ...order, price: farPrice, orderLinkId: 'by-socket' }));
say('ws order placed', await privateInbox.until('order'));
say('ws amended', await trading.amendOrder({ ...market, orderLinkId: 'by-socket', price: String(farPrice - 1) }));
say('ws order amended', await privateInbox.until('order'));
say('ws cancelled', await trading.cancelOrder({ ...market, orderLinkId: 'by-socket' }));
say('ws order cancelled', await privateInbox.until('order'));
say('ws refused', await refused(trading.cancelOrder({ ...market, orderLinkId: 'nobodys' })));

for (const orderLinkId of ['first', 'second']) await http.submitOrder({ ...order, price: farPrice, orderLinkId });
say('all cancelled', await http.cancelAllOrders(market));
for (const link of ['first', 'second'])
  await privateInbox.until('order', (row) => row.orderLinkId === link && row.orderStatus === 'Cancelled');

await http.submitOrder({ ...order, price: bestBid, orderLinkId: 'maker' });
await privateInbox.until('order', (row) => row.orderLinkId === 'maker' && row.orderStatus === 'New');
say('fill it', null);
say('fill', await privateInbox.until('execution'));
say('order filled', await privateInbox.until('order', (row) => row.orderStatus === 'Filled'));
say('wallet change', await privateInbox.until('wallet'));
say('fills', await http.getExecutionList(market));
if (category !== 'spot') {
  say('position change', await privateInbox.until('position', (row) => Number(row.size) > 0));
  say('positions', await http.getPositionInfo(market));
}
say('wallet', await http.getWalletBalance({ accountType: 'UNIFIED' }));
say('account', await http.getAccountInfo());

say('unknown order', await http.cancelOrder({ ...market, orderLinkId: 'nobodys' }));
say('unknown symbol', await http.submitOrder({ ...order, symbol: 'NONE', price: farPrice }));
const stranger = new RestClientV5({ baseUrl: rest, key, secret: 'not the secret' });
say('wrong secret', await stranger.getAccountInfo());

for (const client of [publicSocket, privateSocket, trading.getWSClient()]) client.closeAll(true);
