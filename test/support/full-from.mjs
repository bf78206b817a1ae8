// Loaded before the program: makes all writes to its database fail from the phase FULL_FROM of a migration on.
import Database from 'better-sqlite3';

const { prepare } = Database.prototype;
let isFull = false;

Database.prototype.prepare = function (text) {
  const statement = prepare.call(this, text);
  if (statement.readonly) return statement;
  for (const name of ['run', 'get', 'all']) {
    const write = statement[name];
    statement[name] = (...values) => {
      isFull ||= text.includes('into migration_phases') && values.includes(process.env.FULL_FROM);
      if (isFull) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
      return write.apply(statement, values);
    };
  }
  return statement;
};
